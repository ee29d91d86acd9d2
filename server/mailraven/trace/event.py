"""One thing that happened to a message for one recipient. Never its content, never its subject."""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from mailraven.directory import AddressError, normalize_domain

# Octets of an index entry are bounded (2704 in Postgres), so are the words of others.
MAX_ADDRESS = 320
MAX_MESSAGE_ID = 250
MAX_PEER = 255
MAX_DETAIL = 500


class Kind(StrEnum):
    """What happened."""

    REFUSED = "refused"
    """The client of an SMTP session was told no: `detail` is the reply."""
    DELIVERED = "delivered"
    """It came in and is in a mailbox of ours: `detail` says which, and the UID."""
    QUEUED = "queued"
    """It came in and waits to be sent to another server: `detail` is the queue id."""
    SENT = "sent"
    """The other server took it: `detail` is its reply, `peer` its name."""
    DEFERRED = "deferred"
    """The other server or the way to it was not ready; it is tried again."""
    FAILED = "failed"
    """The other server refused it for ever."""
    EXPIRED = "expired"
    """It was tried for as long as the schedule says."""
    NOTIFIED = "notified"
    """A delivery status notification went to the sender (`recipient`)."""
    HELD = "held"
    RELEASED = "released"
    RETRIED = "retried"
    """An administrator made it due at once."""
    CANCELLED = "cancelled"
    LOGIN_FAILED = "login_failed"
    """Somebody (`peer`) tried to sign in as `sender`; `detail` is the protocol."""


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """`account` is the recipient's or the submitter's, 0 if neither is ours; `peer` the IP of the client or the name
    of the other server; `detail` a reply in words, a mailbox, a queue id.
    """

    kind: Kind
    trace_id: str
    account: int = 0
    message_id: str = ""
    sender: str = ""
    recipient: str = ""
    peer: str = ""
    detail: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def login_failed(session_id: str, ip: str, login: str, protocol: str) -> TraceEvent:
    """`login` as it may be shown: an address, or what hides a password typed into the wrong field."""
    return TraceEvent(Kind.LOGIN_FAILED, f"{session_id}.0", sender=login, peer=ip, detail=protocol)


def bare_message_id(text: str) -> str:
    """The msg-id of a header field, or as somebody typed it, without `<>`; as it is stored."""
    inside = text.partition("<")[2].partition(">")[0] or text
    return _one_line(inside.strip().strip("<>"), MAX_MESSAGE_ID)


def bare_address(text: str) -> str:
    """An address as it is stored: in lower case, its domain in A-labels."""
    address = text.strip().strip("<>").lower()
    if not address.isascii():
        localpart, at, domain = address.rpartition("@")
        with contextlib.suppress(AddressError):
            address = f"{localpart}@{normalize_domain(domain)}" if at else address
    return _one_line(address, MAX_ADDRESS)


def columns(events: list[TraceEvent]) -> tuple[list[object], ...]:
    """For INSERT: everything is bounded and fit for Postgres."""
    return (
        [one.at for one in events],
        [_one_line(one.trace_id, MAX_PEER) for one in events],
        [one.kind.value for one in events],
        [one.account for one in events],
        [bare_message_id(one.message_id) if one.message_id else "" for one in events],
        [bare_address(one.sender) for one in events],
        [bare_address(one.recipient) for one in events],
        [_one_line(one.peer, MAX_PEER) for one in events],
        [_one_line(one.detail, MAX_DETAIL) for one in events],
    )


def _one_line(text: str, limit: int) -> str:
    if not text.isprintable():  # NUL, line ends, lone surrogates
        text = "".join(c if c.isprintable() else " " for c in text)
    return text[:limit]
