"""What happened to a message, from the connection to the mailbox or the remote's reply."""

from mailraven.trace.event import Kind, TraceEvent, bare_address, bare_message_id, login_failed
from mailraven.trace.recorder import Recorder
from mailraven.trace.search import Query, Scope, Trace, find, purge
from mailraven.trace.words import line

__all__ = [
    "Kind",
    "Query",
    "Recorder",
    "Scope",
    "Trace",
    "TraceEvent",
    "bare_address",
    "bare_message_id",
    "find",
    "line",
    "login_failed",
    "purge",
]
