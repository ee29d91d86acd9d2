"""The announcement of a literal at the end of a line (RFC 9051 §4.3, RFC 7888), and skipping what follows one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

# literal  = "{" number64 ["+"] "}" CRLF *CHAR8
# literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
_ANNOUNCEMENT = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")
_LONGEST = 32
MAX_SIZE = 9_223_372_036_854_775_807


@dataclass(frozen=True, slots=True)
class Announcement:
    """A literal of `size` octets follows the line; `start`: where in the line it is announced."""

    start: int
    size: int
    sync: bool
    binary: bool


def announcement(line: bytes) -> Announcement | None:
    """What the end of a line (without CRLF) announces."""
    if not line.endswith(b"}"):
        return None
    match = _ANNOUNCEMENT.search(line, max(0, len(line) - _LONGEST))
    if match is None:
        return None
    return Announcement(match.start(), int(match[2]), sync=not match[3], binary=bool(match[1]))


class Skipped(Enum):
    """How far skipping has come."""

    DONE = auto()
    NEED_MORE = auto()
    TOO_MUCH = auto()


class Skip:
    """Throws away the rest of a refused command: literals that are on their way, and lines up to the last CRLF.

    A line that announces a non-synchronizing literal goes on behind it: its octets must not be read as commands.
    """

    __slots__ = ("_literal", "_seen", "_tail")

    def __init__(self, literal: int) -> None:
        self._literal = literal
        self._seen = 0
        self._tail = b""

    def run(self, buffer: bytearray, limit: int) -> Skipped:
        """Take octets from the front of `buffer`; at most `limit` in all."""
        while True:
            if self._seen + self._literal > limit:
                return Skipped.TOO_MUCH
            if self._literal:
                self._literal -= self._take(buffer, min(self._literal, len(buffer)))
            if self._literal or not buffer:
                return Skipped.NEED_MORE
            end = buffer.find(b"\n")
            count = len(buffer) if end < 0 else end + 1
            if self._seen + count > limit:
                return Skipped.TOO_MUCH
            self._tail = (self._tail + buffer[max(0, count - _LONGEST) : count])[-_LONGEST:]
            self._take(buffer, count)
            if self._tail.endswith(b"\r\n"):
                follows = announcement(self._tail[:-2])
                if follows is None or follows.sync:
                    return Skipped.DONE
                self._literal = follows.size
                self._tail = b""

    def _take(self, buffer: bytearray, count: int) -> int:
        del buffer[:count]
        self._seen += count
        return count
