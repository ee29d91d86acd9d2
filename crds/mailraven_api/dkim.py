"""DKIM keys of a domain (RFC 6376, RFC 8463)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mailraven_api.dns import DnsRecord
from mailraven_api.model import Model

Algorithm = Literal["rsa", "ed25519"]
Selector = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$",
    ),
]
"""The name of a key below _domainkey."""


class DkimKeyCreate(Model):
    """POST /api/v1/domains/{name}/dkim: a pending key."""

    algorithm: Algorithm = "rsa"
    key_size: Literal[2048, 3072, 4096] | None = None
    """Of an RSA key. Not set: that of the domain's settings."""
    selector: Selector | None = None
    """Not set: dated, such as mr202611a."""


class DkimKey(Model):
    """A key without its private part."""

    selector: str
    algorithm: Algorithm
    key_size: int
    """Bits."""
    state: Literal["pending", "active", "retired"]
    """pending: publish its record, then activate it. active: it signs. retired: it signs no more."""
    public_key: str
    """Base64, as in the p= tag."""
    record: DnsRecord
    """What to publish."""
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    published_until: datetime | None
    """Until then the record of a retired key has to stay: signed mail may still be on its way."""


class DkimKeys(Model):
    """All keys of a domain, oldest first."""

    items: tuple[DkimKey, ...]
