"""What of a snapshot is to come back into a running instance, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailraven.backup.contents import SavedAccount
from mailraven.backup.errors import BackupError, NothingFound


class Existing(StrEnum):
    """What to do with the mail of accounts that are there."""

    REFUSE = "refuse"
    """Nothing: say so."""
    BESIDE = "beside"
    """Into new mailboxes, below "Restored DATE"."""
    MERGE = "merge"
    """Into the mailboxes of the same name; what is in them already is left out."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Exactly one of `domain` and `account`; the rest narrows an account."""

    domain: str | None = None
    account: str | None = None
    mailbox: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """By INTERNALDATE."""
    into: str | None = None
    """Another account that gets the mail."""
    existing: Existing = Existing.REFUSE

    def __post_init__(self) -> None:
        if (self.domain is None) == (self.account is None):
            raise BackupError("name either a domain or an account")
        if self.domain is not None and (self.mailbox or self.into):
            raise BackupError("a mailbox or another account can be named for one account only")
        if (self.mailbox or self.since or self.until) and self.existing is Existing.REFUSE and self.into is None:
            raise BackupError("parts of an account go beside its mail or are merged into it: say which")

    @property
    def is_part(self) -> bool:
        """Not whole accounts."""
        return bool(self.mailbox or self.since or self.until or self.into)

    def accounts(self, saved: list[SavedAccount]) -> list[SavedAccount]:
        """Those meant. Raises NothingFound."""
        found = [one for one in saved if self.account == one.address or self.domain == one.domain]
        if not found:
            raise NothingFound(f"the backup has no {self.account or 'accounts of ' + str(self.domain)}")
        return found

    def takes_mailbox(self, name: str | None) -> bool:
        """With those below it."""
        return self.mailbox is None or name == self.mailbox or (name or "").startswith(self.mailbox + "/")

    def takes_date(self, at: datetime) -> bool:
        """Whether a message of this INTERNALDATE is meant."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)
