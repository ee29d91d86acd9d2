"""A DKIM key as it is stored, without its private part."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from mailraven.dkim.generation import Algorithm
from mailraven.dns.records import PublishedKey

State = Literal["pending", "active", "retired"]
# A message may wait five days in a queue after it was signed; then its signature is still checked.
PUBLISHED_AFTER_RETIREMENT = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DkimKey:
    """pending: to be published; active: signs; retired: signs no more, but is still published for a week."""

    domain_id: int
    selector: str
    algorithm: Algorithm
    key_size: int
    public_key: str
    """Base64 as in the p= tag (RFC 6376 §3.6.1, RFC 8463 §4)."""
    state: State
    created_at: dt.datetime
    activated_at: dt.datetime | None
    retired_at: dt.datetime | None

    @property
    def published(self) -> PublishedKey:
        """What the DNS shows of it."""
        return PublishedKey(self.selector, self.algorithm, self.public_key)

    def published_until(self) -> dt.datetime | None:
        """When its record may go from the DNS; None: not yet known."""
        return None if self.retired_at is None else self.retired_at + PUBLISHED_AFTER_RETIREMENT


COLUMNS = "domain_id, selector, algorithm, key_size, public_key, state, created_at, activated_at, retired_at"


def key_of(row: Any) -> DkimKey:
    """From a row of COLUMNS."""
    return DkimKey(*(row[name] for name in COLUMNS.split(", ")))
