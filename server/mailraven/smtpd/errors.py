"""The one table from the errors of the domain to replies (RFC 5321 §4.2.4)."""

from mailraven.directory import AddressError, DirectoryUnavailable
from mailraven.mailstore import NoSuchMailbox, OverQuota, Unavailable
from mailraven.smtp import replies
from mailraven.smtp.reply import Reply

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
