"""What another server says, made safe to store, log and quote. Pure (RFC 5321 §4.2, RFC 2034, RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TEXT = 500  # RFC 5321 §4.5.3.1.5 has 512 for a line; more of a long multi-line reply tells nothing new
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_SPACES = re.compile(r"[\s]+")
# RFC 3463 §2
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """`text` is one line of printable ASCII; `status` always has the class that `code` means."""

    code: int
    status: str
    text: str

    @property
    def positive(self) -> bool:
        """2xx."""
        return self.status[0] == "2"

    @property
    def permanent(self) -> bool:
        """5xx: sending the same again is of no use."""
        return self.status[0] == "5"

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def parse_reply(code: int, text: str) -> RemoteReply:
    """From what the client library hands over: lines joined by LF, any octets (surrogate-escaped).

    A code that SMTP does not have counts as a temporary protocol error (RFC 5321 §4.2.1, §4.3.2).
    """
    line = safe_text(text)
    kind = code // 100
    if kind not in (2, 4, 5):
        return RemoteReply(code, "4.5.0", line)
    found = _ENHANCED.match(line)
    if found and int(found[1]) == kind:
        return RemoteReply(code, found[0], line)
    return RemoteReply(code, f"{kind}.0.0", line)


def safe_text(text: str) -> str:
    """One line of printable ASCII, bounded: nothing in it can end a header field or a log line."""
    line = _NOT_PRINTABLE.sub("?", _SPACES.sub(" ", text[: 4 * MAX_TEXT])).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 3] + "..."
