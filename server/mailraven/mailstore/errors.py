"""What can go wrong with mail, in the domain's words; each daemon has one table from these to its wire form."""

from __future__ import annotations


class MailstoreError(Exception):
    """The change was refused and nothing was changed."""


class NoSuchMailbox(MailstoreError):
    """There is no mailbox of that name or id (any more)."""


class MailboxExists(MailstoreError):
    """A mailbox of that name is there already."""


class InvalidName(MailstoreError):
    """The name cannot be a mailbox's; the text says why."""


class HasChildren(MailstoreError):
    """The name only exists as a parent of others."""


class OverQuota(MailstoreError):
    """The account has no room for it."""


class TooManyKeywords(MailstoreError):
    """The mailbox has used up its 58 keywords."""


class TooManyMailboxes(MailstoreError):
    """The account has as many mailboxes as it may."""


class Unavailable(MailstoreError):
    """The database or the blob store is away: the same request may succeed later. Nothing was acknowledged."""
