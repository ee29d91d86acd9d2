"""What a command handler returns: untagged data, the tagged status, and what the connection does next."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from mailraven.imap import response
from mailraven.imap.response import Status


class Then(enum.Enum):
    """What follows the response."""

    NEXT_COMMAND = enum.auto()
    START_TLS = enum.auto()
    IDLE = enum.auto()  # the tagged response comes after DONE (RFC 2177)
    CLOSE = enum.auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`untagged` goes out first, then what `stream` yields, then news of the mailbox, then the tagged status."""

    status: Status
    untagged: bytes = b""
    stream: AsyncGenerator[bytes, None] | None = None
    then: Then = Then.NEXT_COMMAND
    with_modseq: bool = False
    """After QRESYNC the tagged OK says HIGHESTMODSEQ as the news before it has reached it (RFC 7162 §3.2.7)."""


def ok(
    text: str,
    code: str = "",
    *,
    untagged: bytes = b"",
    stream: AsyncGenerator[bytes, None] | None = None,
    then: Then = Then.NEXT_COMMAND,
) -> Outcome:
    """Tagged OK."""
    return Outcome(response.ok(text, code), untagged, stream, then)


def no(text: str, code: str = "", *, untagged: bytes = b"", then: Then = Then.NEXT_COMMAND) -> Outcome:
    """Tagged NO: understood, and not done."""
    return Outcome(response.no(text, code), untagged, None, then)


def bad(text: str, code: str = "") -> Outcome:
    """Tagged BAD: not understood, or not now."""
    return Outcome(response.bad(text, code))


class CommandRefused(Exception):
    """Ends a handler from inside a stream or a function of its own; carries the answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.status.text)
        self.outcome = outcome
