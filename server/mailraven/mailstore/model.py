"""Values that go in and out of the mailstore."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from mailraven.message import Summary
from mailraven.queue import RemoteRecipient


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """A mailbox and its counters at one moment."""

    id: int
    name: str
    special_use: str | None
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    unseen: int
    deleted: int
    bytes: int
    recent: int
    keywords: tuple[str, ...]


class BodyRef(NamedTuple):
    """Where the octets of a message are: `prefix`, then the body, which other messages may share."""

    account: int
    id: int
    prefix: bytes
    size: int
    """Octets in all, prefix included."""


class Items(NamedTuple):
    """Immutable facts of one message of a mailbox."""

    uid: int
    size: int
    internal_date: datetime
    envelope: bytes
    bodystructure: bytes
    email_id: int
    body: BodyRef
    saved_at: datetime


class Listed(NamedTuple):
    """A message of a mailbox with what can change of it, at one moment."""

    items: Items
    message_id: str
    flags: int
    modseq: int


class FlagRow(NamedTuple):
    """What can change of a message."""

    uid: int
    flags: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A message to APPEND. `internal_date` must be aware; None is now."""

    raw: bytes
    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """UIDs in the order of the uploads (RFC 4315 APPENDUID)."""

    uidvalidity: int
    uids: list[int]
    mailbox: int = 0
    """Its id."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Source and target UIDs pair by pair (RFC 4315 COPYUID)."""

    uidvalidity: int
    source: list[int]
    target: list[int]


@dataclass(frozen=True, slots=True)
class Stored:
    """Result of a change of flags: what really changed, and what UNCHANGEDSINCE refused (RFC 7162 §3.1.3)."""

    modseq: int
    changed: dict[int, int]
    failed: list[int]


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """One mailbox to deliver to. `prefix`: the Return-Path and Delivered-To lines, each ended by CRLF."""

    account: int
    address: str
    prefix: bytes = b""
    mailbox: str = "INBOX"
    flags: int = 0
    mailbox_id: int | None = None
    """Instead of the name, where it is known."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to make durable: in local mailboxes, in the outbound queue, or both; one transaction for all.

    `raw` has its Received header on top already; CRLF line ends. `submitter_account` owns the queue entry (needed
    with `remote`).
    """

    raw: bytes
    recipients: tuple[LocalTarget, ...]
    remote: tuple[RemoteRecipient, ...] = ()
    return_path: str = ""
    trace_id: str = ""
    summary: Summary | None = None
    submitter_account: int | None = None
    smtputf8: bool = False
    eight_bit: bool = False
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where a message went: (account, mailbox id, uid) for each local target in order, and its queue id.

    `message_id` is the field of its header as it stands there.
    """

    uids: list[tuple[int, int, int]] = field(default_factory=list)
    queue_id: int | None = None
    message_id: str = ""
