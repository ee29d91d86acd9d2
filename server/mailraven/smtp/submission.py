"""What a submission server puts right in a header (RFC 6409 §8): Date, Message-ID, Bcc."""

import re

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.MULTILINE)


def header_end(message: bytes) -> int:
    """Where the header section ends, its last CRLF included and the empty line not."""
    if message.startswith(b"\r\n"):
        return 0
    end = message.find(b"\r\n\r\n")
    return len(message) if end < 0 else end + 2


def complete_header(message: bytes, *, date: str, message_id: str) -> bytes:
    """The message with a Date and a Message-ID, and without Bcc fields (RFC 5322 §3.6.3).

    Everything else stays octet for octet. What doesn't look like a header is left alone.
    """
    end = header_end(message)
    header = message[:end]
    names = {match[1].lower() for match in _FIELD.finditer(header)}
    added = b""
    if b"date" not in names:
        added += f"Date: {date}\r\n".encode()
    if b"message-id" not in names:
        added += f"Message-ID: <{message_id}>\r\n".encode()
    if b"bcc" in names:
        header = _without(header, b"bcc")
    elif not added:
        return message
    # A message that begins with its body needs the empty line that ends a header.
    separator = b"\r\n" if added and not _FIELD.match(message) and not message.startswith(b"\r\n") else b""
    return b"".join((added, separator, header, message[end:]))


def _without(header: bytes, name: bytes) -> bytes:
    kept: list[bytes] = []
    dropping = False
    for line in header.split(b"\r\n")[:-1]:
        if not line.startswith((b" ", b"\t")):
            match = _FIELD.match(line)
            dropping = match is not None and match[1].lower() == name
        if not dropping:
            kept.append(line + b"\r\n")
    return b"".join(kept)
