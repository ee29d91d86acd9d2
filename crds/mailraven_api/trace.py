"""The delivery trace, as the API shows it: what happened to a message."""

from datetime import datetime
from typing import Literal

from mailraven_api.model import Model

EventKind = Literal[
    "refused",
    "delivered",
    "queued",
    "sent",
    "deferred",
    "failed",
    "expired",
    "notified",
    "held",
    "released",
    "retried",
    "cancelled",
    "login_failed",
]


class TraceEvent(Model):
    """One thing that happened, for one recipient."""

    at: datetime
    kind: EventKind
    """refused: by us, in the SMTP session; delivered: to a mailbox of ours; queued, sent, deferred, failed, expired:
    on its way to another server; notified: the sender was told; login_failed: `sender` is the login that was tried."""
    sender: str
    """Of the envelope; empty: the null sender, or not known."""
    recipient: str
    peer: str
    """The client's IP address, or the name of the other server."""
    detail: str
    """A reply in words, the mailbox, the queue id."""
    line: str
    """The same as a sentence for people."""


class Trace(Model):
    """Everything that happened under one trace id, in the order of time, as far as you may see it."""

    trace_id: str
    message_id: str
    """Without angle brackets; empty: not known."""
    sender: str
    started_at: datetime
    events: tuple[TraceEvent, ...]
