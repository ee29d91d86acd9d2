"""The one table from the errors of the domain to IMAP status and response codes (RFC 9051 §7.1, RFC 5530)."""

from __future__ import annotations

from mailraven.directory import DirectoryUnavailable
from mailraven.imap import BadCharset, SyntaxProblem
from mailraven.imap.charsets import CHARSETS
from mailraven.imap.response import badcharset_code
from mailraven.imapd.outcome import CommandRefused, Outcome, bad, no
from mailraven.mailstore import (
    HasChildren,
    InvalidName,
    MailboxExists,
    NoSuchMailbox,
    OverQuota,
    TooManyKeywords,
    TooManyMailboxes,
    Unavailable,
)

# Error, response code, text; an empty text is the error's own, which is then meant for the client.
_TABLE: tuple[tuple[type[Exception], str, str], ...] = (
    (NoSuchMailbox, "NONEXISTENT", "No such mailbox"),
    (MailboxExists, "ALREADYEXISTS", "There is a mailbox of that name already"),
    (InvalidName, "CANNOT", ""),
    (HasChildren, "HASCHILDREN", "The mailbox has children and no messages of its own"),
    (OverQuota, "OVERQUOTA", "The quota of the account is reached"),
    (TooManyKeywords, "LIMIT", "The mailbox has as many keywords as it can have"),
    (TooManyMailboxes, "LIMIT", ""),
    (Unavailable, "UNAVAILABLE", "Storage is not available now, try again later"),
    (DirectoryUnavailable, "UNAVAILABLE", "The directory is not available now, try again later"),
)


def outcome_of(error: Exception) -> Outcome | None:
    """The response to an error we know; None for one that is a bug."""
    if isinstance(error, CommandRefused):
        return error.outcome
    if isinstance(error, SyntaxProblem):
        return bad(_capital(error.text))
    if isinstance(error, BadCharset):
        return no("Unknown charset", badcharset_code(CHARSETS))
    for kind, code, text in _TABLE:
        if isinstance(error, kind):
            return no(text or _capital(str(error)), code)
    return None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


SERVER_BUG = no("Internal error, logged with the id of this session", "SERVERBUG")
