"""The one table from the errors of the domain to replies (RFC 5321 §4.2.4)."""

import structlog

from mailraven.directory import AddressError, DirectoryUnavailable
from mailraven.mailstore import NoSuchMailbox, OverQuota, Unavailable
from mailraven.smtp import replies
from mailraven.smtp.reply import Reply

_log = structlog.get_logger(component="smtpd")

_TABLE: tuple[tuple[type[Exception], Reply], ...] = (
    (Unavailable, replies.UNAVAILABLE),
    (DirectoryUnavailable, replies.UNAVAILABLE),
    (NoSuchMailbox, replies.UNAVAILABLE),  # deleted since RCPT: the next try hears that
    (OverQuota, replies.MAILBOX_FULL),
    (AddressError, replies.BAD_RECIPIENT_SYNTAX),
)


def reply_of(error: Exception) -> Reply | None:
    """The reply to an error we know; None for one that is a bug."""
    for kind, reply in _TABLE:
        if isinstance(error, kind):
            return reply
    return None


def answer_to(error: Exception, *, request_id: str) -> Reply:
    """A known trouble or a bug: the peer hears 451 either way, and no names of ours."""
    known = reply_of(error)
    if known is None:
        _log.error("command failed", request_id=request_id, exc_info=error)
        return replies.UNAVAILABLE
    if known.code < 500:
        _log.warning("temporary failure", request_id=request_id, error=type(error).__name__)
    return known
