"""A message as it goes over the wire after DATA: octet for octet, dots doubled (RFC 5321 §2.3.8, §4.5.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

END = b".\r\n"
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_CHUNK = 256 * 1024


def has_bare_line_end(content: bytes) -> bool:
    """CR or LF that is not part of CRLF.

    Such a message is refused, not mended: it must not leave (RFC 5321 §2.3.8), and another content under the same
    signature would be worse. What came in over SMTP never has one.
    """
    return _BARE.search(content) is not None


def is_ascii_header(content: bytes) -> bool:
    """Whether the header section is free of octets above 127 (RFC 6532)."""
    end = content.find(b"\r\n\r\n")
    return (content if end < 0 else content[:end]).isascii()


def frames(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Pieces to write; the last one, marked so, ends the data. A last line without CRLF gets one."""
    position, start_of_line = 0, True
    while True:
        piece = content[position : position + _CHUNK]
        position += len(piece)
        last = position >= len(content)
        stuffed = piece.replace(b"\n.", b"\n..")
        if start_of_line and stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        start_of_line = piece.endswith(b"\n")
        if not last:
            yield stuffed, False
            continue
        line_end = b"" if not content or content.endswith(b"\r\n") else b"\r\n"
        yield stuffed + line_end + END, True
        return
