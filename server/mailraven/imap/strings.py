"""Strings as the server sends them: quoted where it may, literal where it must (RFC 9051 §4.3)."""

from __future__ import annotations

from mailraven.imap import abnf
from mailraven.imap.mailbox_name import encode_utf7

_MAX_QUOTED = 1000
NIL = b"NIL"


def quoted(text: bytes) -> bytes:
    """A quoted string of octets that are known to fit in one: no CR, LF, NUL, nothing over 127."""
    if b"\\" in text or b'"' in text:
        text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % text


def literal(octets: bytes) -> bytes:
    """A literal. NUL has no place in one, but a message must come back octet for octet, so it stays."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def string(octets: bytes) -> bytes:
    """Quoted if every octet is a TEXT-CHAR and it is not long, else a literal."""
    if len(octets) > _MAX_QUOTED or octets.translate(None, abnf.TEXT_CHAR):
        return literal(octets)
    return quoted(octets)


def nstring(octets: bytes | None) -> bytes:
    """NIL for None."""
    return NIL if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """An atom where the octets make one, NIL excepted, since clients confuse it."""
    if octets and not octets.translate(None, abnf.ATOM_CHAR) and octets.upper() != NIL:
        return octets
    return string(octets)


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name: modified UTF-7, or UTF-8 in quotes after ENABLE UTF8=ACCEPT (RFC 6855 §3)."""
    if not utf8 or name.isascii():
        return astring(name.encode("ascii") if utf8 else encode_utf7(name))
    return quoted(name.encode("utf-8"))


def sanitised(text: str, limit: int = 400) -> bytes:
    """Text of a response: one line of printable US-ASCII, bounded; what else comes in shows as `?`."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit]).encode("ascii")
