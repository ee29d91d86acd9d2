"""What a command handler returns: untagged data, the tagged status, and what the connection does next."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass


class Then(enum.Enum):
    """What follows the response."""

    NEXT_COMMAND = enum.auto()
    START_TLS = enum.auto()
    IDLE = enum.auto()  # no tagged response yet: it comes after DONE (RFC 2177)
    CLOSE = enum.auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`untagged` goes out first, then what `stream` yields, then changes of the mailbox, then the tagged line."""

    status: str
    text: str
    code: str = ""
    untagged: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    then: Then = Then.NEXT_COMMAND


def ok(text: str, *, code: str = "", untagged: bytes = b"", stream: AsyncIterator[bytes] | None = None) -> Outcome:
    """Tagged OK."""
    return Outcome("OK", text, code, untagged, stream)


def no(text: str, *, code: str = "", untagged: bytes = b"") -> Outcome:
    """Tagged NO: understood, not done."""
    return Outcome("NO", text, code, untagged)


def bad(text: str, *, code: str = "") -> Outcome:
    """Tagged BAD: not understood, or not now."""
    return Outcome("BAD", text, code)


class CommandRefused(Exception):
    """A handler gives up inside a stream or a helper: the outcome to answer with instead."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
