"""Mailbox names: modified UTF-7 (RFC 3501 §5.1.3), strict both ways, and INBOX in any case (RFC 9051 §5.1)."""

from __future__ import annotations

import binascii
import re

from mailraven.imap.errors import SyntaxProblem

DELIMITER = "/"
INBOX = "INBOX"

# A shift of modified UTF-7: "&" modified-base64 "-"; "&-" is "&".
_SHIFT = re.compile(rb"&([A-Za-z0-9+,]*)-")
# Printable US-ASCII but "&" stands for itself.
_DIRECT = re.compile(r"[\x20-\x25\x27-\x7e]+|&|[^\x20-\x7e]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def decode_mailbox(octets: bytes, *, utf8: bool = False) -> str:
    """A name from the wire; SyntaxProblem for bad encoding or control characters."""
    name = _decode(octets, utf8)
    if not name:
        raise SyntaxProblem("the mailbox name is empty")
    return canonical(name)


def decode_pattern(octets: bytes, *, utf8: bool = False) -> str:
    """A LIST reference or pattern: like a name, but it may be empty and hold wildcards."""
    return _decode(octets, utf8)


def canonical(name: str) -> str:
    """INBOX, alone or as the first level, in capitals."""
    if name[:5].upper() == INBOX and name[5:6] in ("", DELIMITER):
        return INBOX + name[5:]
    return name


def encode_utf7(name: str) -> bytes:
    """Modified UTF-7: base64 of UTF-16BE, `,` for `/`, no padding. A lone surrogate has no encoding: ValueError."""
    if name.isascii() and "&" not in name and name.isprintable():
        return name.encode("ascii")
    out = bytearray()
    for run in _DIRECT.findall(name):
        if run == "&":
            out += b"&-"
        elif " " <= run[0] <= "~":
            out += run.encode("ascii")
        else:
            base64 = binascii.b2a_base64(run.encode("utf-16-be"), newline=False)
            out += b"&" + base64.rstrip(b"=").replace(b"/", b",") + b"-"
    return bytes(out)


def decode_utf7(octets: bytes) -> str:
    """Strict: only what `encode_utf7` gives, so that one mailbox has one name."""
    if b"&" not in octets:
        if not octets.isascii():
            raise SyntaxProblem("a mailbox name must be modified UTF-7")
        return octets.decode("ascii")
    try:
        name = "".join(_parts(octets))
        exact = encode_utf7(name) == octets
    except (ValueError, UnicodeError):
        exact = False
    if not exact:
        raise SyntaxProblem("a mailbox name is not valid modified UTF-7")
    return name


def _parts(octets: bytes) -> list[str]:
    parts: list[str] = []
    position = 0
    for match in _SHIFT.finditer(octets):
        parts.append(octets[position : match.start()].decode("ascii"))
        base64: bytes = match[1]
        if base64:
            padded = base64.replace(b",", b"/") + b"=" * (-len(base64) % 4)
            parts.append(binascii.a2b_base64(padded).decode("utf-16-be"))
        else:
            parts.append("&")
        position = match.end()
    parts.append(octets[position:].decode("ascii"))
    return parts


def _decode(octets: bytes, utf8: bool) -> str:
    if utf8:
        try:
            name = octets.decode("utf-8")
        except UnicodeDecodeError:
            raise SyntaxProblem("a mailbox name is not UTF-8") from None
    else:
        name = decode_utf7(octets)
    if _CONTROLS.search(name):
        raise SyntaxProblem("a mailbox name holds a control character")
    return name
