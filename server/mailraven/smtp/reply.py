"""A reply and its wire form (RFC 5321 §4.2, RFC 2034, RFC 3463)."""

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")
# RFC 5321 §4.2: textstring = 1*(%d09 / %d32-126); RFC 6531 §3.7.4.2 adds UTF-8.
_NOT_TEXT = re.compile(r"[^\t\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]")
_MAX_LINE = 510  # RFC 5321 §4.5.3.1.5, without CRLF


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` may have several lines. `enhanced` is empty where RFC 2034 §4 wants none (220, 3xx, EHLO)."""

    code: int
    enhanced: str
    text: str

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise ValueError(f"not a reply code: {self.code}")
        if self.enhanced and (not _ENHANCED.match(self.enhanced) or int(self.enhanced[0]) != self.code // 100):
            raise ValueError(f"enhanced code {self.enhanced} does not belong to {self.code}")

    def saying(self, text: str) -> "Reply":
        """The same codes with other words."""
        return Reply(self.code, self.enhanced, text)

    def render(self) -> bytes:
        lines = self.text.split("\n")
        prefix = f"{self.enhanced} " if self.enhanced else ""
        last = len(lines) - 1
        return b"".join(
            _line(f"{self.code}{' ' if index == last else '-'}{prefix}{line}") for index, line in enumerate(lines)
        )


def _line(text: str) -> bytes:
    # What a peer sent may be quoted in a reply: it never gets to end the line or to make it too long.
    encoded = _NOT_TEXT.sub("?", text).encode()
    if len(encoded) > _MAX_LINE:
        encoded = encoded[:_MAX_LINE].decode(errors="ignore").encode()
    return encoded + b"\r\n"
