"""Mailboxes of an account (RFC 9051 §2.3, RFC 6154)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailraven_api.model import Model

MailboxName = Annotated[str, Field(min_length=1, max_length=1000)]
"""Levels are separated by "/"; INBOX is the one that mail comes to."""
SpecialUse = Literal["\\Sent", "\\Drafts", "\\Trash", "\\Junk", "\\Archive"]


class Mailbox(Model):
    """A mailbox with its counters at this moment."""

    id: int
    """Names it for ever: a rename does not change it, and no other mailbox gets it."""
    name: str
    special_use: SpecialUse | None
    """What it is for (RFC 6154)."""
    subscribed: bool
    uidvalidity: int
    uidnext: int
    """The UID that the next message gets, or a lower bound of it."""
    highestmodseq: int
    """Rises with each change (RFC 7162)."""
    messages: int
    unseen: int
    deleted: int
    """Messages with the flag \\Deleted, which are still there."""
    bytes: int
    keywords: tuple[str, ...]
    """Keywords that messages of it have or had."""


class Mailboxes(Model):
    """All mailboxes of an account, and what of it is used."""

    items: tuple[Mailbox, ...]
    used_bytes: int
    quota_bytes: int | None
    """null: no quota."""


class MailboxCreate(Model):
    """POST …/mailboxes. Parents that are missing are made, too."""

    name: MailboxName
    special_use: SpecialUse | None = None
    subscribed: bool = True


class MailboxPatch(Model):
    """PATCH …/mailboxes/{mailbox_id}: what is left out stays. Children are renamed with their parent."""

    name: MailboxName | None = None
    subscribed: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name is None and self.subscribed is None:
            raise ValueError("say a name, or whether it is subscribed")
        return self


class Emptied(Model):
    """What POST …/empty removed."""

    removed: int
    left: int
    """Messages still there: ask again."""
