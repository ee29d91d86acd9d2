"""IMAP strings out of header octets, and the way back through a wire form of ours (RFC 9051 §4.3, §9)."""

import re

# QUOTED-CHAR without escapes: printable ASCII but DQUOTE and backslash. Other control characters go in literals.
_NOT_PLAIN = re.compile(rb"[^\x20\x21\x23-\x5b\x5d-\x7e]")
_NOT_QUOTABLE = re.compile(rb"[^\x20-\x7e\t]")
_QUOTED_SPECIAL = re.compile(rb'(["\\])')
# Longer ones as literals: a line of a response stays short enough for any client.
_MAX_QUOTED = 1_000


def string(value: bytes) -> bytes:
    """Quoted when that is safe, otherwise a literal. The value has no NUL."""
    if len(value) <= _MAX_QUOTED:
        if _NOT_PLAIN.search(value) is None:
            return b'"%b"' % value
        if _NOT_QUOTABLE.search(value) is None:
            return b'"%b"' % _QUOTED_SPECIAL.sub(rb"\\\1", value)
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)
