"""Address lists of header fields, read leniently (RFC 5322 §3.4, obsolete forms of §4.4).

A mailbox that can be made out is never lost to an error beside it; comments are display names of last resort.
"""

import re
from typing import NamedTuple

from mailraven.message.header import unfold
from mailraven.message.limits import MAX_ADDRESSES
from mailraven.message.mime import unescape


class Address(NamedTuple):
    """A mailbox, or the start of a group (domain None), or its end (localpart None too)."""

    display_name: bytes | None
    route: bytes | None
    localpart: bytes | None
    domain: bytes | None


GROUP_END = Address(None, None, None, None)
# NIL here would mean a group to an IMAP client; the words are those other servers use.
MISSING_LOCALPART = b"MISSING_MAILBOX"
MISSING_DOMAIN = b"MISSING_DOMAIN"

_ATEXT = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~"
_LOCALPART = rb"([" + _ATEXT + rb".\-]++)"
_DOMAIN = rb"([A-Za-z0-9._\-]++)"
_ENDS = rb"[ \t]*+(?:,|\Z)"
# What nearly every mailbox looks like: [phrase] <localpart@domain>, or localpart@domain alone.
_MAILBOX = re.compile(
    rb'[ \t]*+(?:(?:"([^"\\\x00-\x1f\x7f-\xff]++)"|([' + _ATEXT + rb"][" + _ATEXT + rb". \-]*+))?+"
    rb"[ \t]*+<" + _LOCALPART + rb"@" + _DOMAIN + rb">" + _ENDS + rb"|" + _LOCALPART + rb"@" + _DOMAIN + _ENDS + rb")"
)


def addresses(value: bytes) -> list[Address]:
    """The list in order; `value` as it is in the header."""
    return read_addresses(unfold(value), MAX_ADDRESSES)


def read_addresses(value: bytes, limit: int) -> list[Address]:
    """The same for an unfolded value; the first `limit` addresses."""
    found: list[Address] = []
    position, end = 0, len(value)
    match = _MAILBOX.match
    while position < end and len(found) < limit:
        mailbox = match(value, position)
        if mailbox is None:
            found += _Reader(value, position, limit - len(found)).read()
            break
        quoted, phrase, localpart, domain, bare_localpart, bare_domain = mailbox.groups()
        if bare_localpart is not None:
            found.append(Address(None, None, bare_localpart, bare_domain))
        else:
            name = quoted or phrase
            if name is not None and (phrase is not None or b"  " in name):
                name = b" ".join(name.split())
            found.append(Address(name, None, localpart, domain))
        position = mailbox.end()
    return found


_TOKEN = re.compile(
    rb"""(?P<space>[ \t\r\n]++)|"(?P<quoted>(?:[^"\\]++|\\.)*+)"|(?P<literal>\[[^\[\]]*+\])|"""
    rb"""(?P<special>[()<>,;:@])|(?P<word>(?:\\.|[^ \t\r\n"\\()<>,;:@\[])++|.)""",
    re.DOTALL,
)
_COMMENT_MARK = re.compile(rb"[()]|\\.", re.DOTALL)


class _Reader:
    """Reads what the fast expression does not match, token by token."""

    def __init__(self, value: bytes, position: int, limit: int) -> None:
        self.value = value
        self.position = position
        self.limit = limit
        self.found: list[Address] = []
        self.in_group = False
        self._next()

    def _next(self) -> None:
        # Pieces of an address: (text, is_quoted); b" " stands for white space, b"@" unquoted for the at sign.
        self.pieces: list[tuple[bytes, bool]] = []
        self.comment: bytes | None = None
        self.angle: list[tuple[bytes, bool]] | None = None
        self.closed = False  # what follows > is noise
        self.has_at = False

    def read(self) -> list[Address]:
        end = len(self.value)
        while self.position < end and len(self.found) < self.limit:
            token = _TOKEN.match(self.value, self.position)
            if token is None:
                break
            self.position = token.end()
            if token.lastgroup == "special":
                self._special(token[0])
            else:
                self._piece(token)
        self._end_address()
        self._end_group()
        return self.found

    def _piece(self, token: re.Match[bytes]) -> None:
        if token.lastgroup == "space":
            self._add(b" ", False)
        elif token.lastgroup == "quoted":
            self._add(unescape(token["quoted"]), True)
        elif token[0] != b'"':  # a quotation mark that nothing closes is noise
            self._add(token[0], False)

    def _add(self, text: bytes, quoted: bool) -> None:
        if not self.closed:
            (self.pieces if self.angle is None else self.angle).append((text, quoted))

    def _special(self, octet: bytes) -> None:
        if octet == b"(":
            self._comment()
        elif octet == b"<" and self.angle is None:
            self._angle()
            self.closed = True
        elif octet in (b",", b";"):
            self._end_address()
            if octet == b";":
                self._end_group()
        elif octet == b":" and not self.in_group and not self.has_at:
            self._start_group()
        elif octet in b"@:":
            self.has_at = self.has_at or octet == b"@"
            self._add(octet, False)

    def _comment(self) -> None:
        start, depth = self.position, 1
        while depth:
            mark = _COMMENT_MARK.search(self.value, self.position)
            if mark is None:
                self.position = len(self.value)
                return
            self.position = mark.end()
            depth += {b"(": 1, b")": -1}.get(mark[0], 0)
        comment = unescape(self.value[start : self.position - 1])
        self.comment = b" ".join(comment.split()) or self.comment

    def _angle(self) -> None:
        """From < to >; a list or the end of the field closes it too."""
        self.angle = []
        route = False  # its commas and the colon at its end belong to the address
        start = True
        end = len(self.value)
        while self.position < end:
            token = _TOKEN.match(self.value, self.position)
            if token is None:
                break
            special = token[0] if token.lastgroup == "special" else b""
            if special == b"," and not route:
                break
            self.position = token.end()
            if special == b">":
                break
            if special == b"(":
                self._comment()
            elif special in (b",", b":", b"@", b";"):
                route = special != b":" and (route or (special == b"@" and start))
                start = False
                self._add(special, False)
            elif not special:
                start = start and token.lastgroup == "space"
                self._piece(token)

    def _start_group(self) -> None:
        name = _phrase(self.pieces)
        if name:
            self.found.append(Address(None, None, name, None))
            self.in_group = True
        self._next()

    def _end_group(self) -> None:
        if self.in_group:
            self.found.append(GROUP_END)
            self.in_group = False

    def _end_address(self) -> None:
        address = self._angle_address() if self.angle is not None else self._bare_address()
        if address is not None:
            self.found.append(address)
        self._next()

    def _angle_address(self) -> Address:
        pieces = self.angle or []
        route = None
        if _text(pieces).startswith(b"@"):
            colons = [at for at, piece in enumerate(pieces) if piece == (b":", False)]
            if colons:
                route, pieces = _joined(pieces[: colons[0]]), pieces[colons[0] + 1 :]
        localpart, domain = _split(pieces)
        name = _phrase(self.pieces) or self.comment
        return Address(name or None, route, localpart or MISSING_LOCALPART, domain or MISSING_DOMAIN)

    def _bare_address(self) -> Address | None:
        pieces = self.pieces
        if not _text(pieces):
            return None
        name = self.comment
        start, end = _around_at(pieces)
        if start < 0:
            words = _phrase(pieces)
            if b" " in words:
                return Address(words, None, MISSING_LOCALPART, MISSING_DOMAIN)
            return Address(name, None, words or MISSING_LOCALPART, MISSING_DOMAIN)
        name = _phrase(pieces[:start]) or name
        localpart, domain = _split(pieces[start:end])
        return Address(name or None, None, localpart or MISSING_LOCALPART, domain or MISSING_DOMAIN)


def _text(pieces: list[tuple[bytes, bool]]) -> bytes:
    return b"".join(text for text, _ in pieces).strip()


def _phrase(pieces: list[tuple[bytes, bool]]) -> bytes:
    return b" ".join(_text(pieces).split())


def _joined(pieces: list[tuple[bytes, bool]]) -> bytes:
    return b"".join(text for text, quoted in pieces if quoted or text != b" ")


def _split(pieces: list[tuple[bytes, bool]]) -> tuple[bytes, bytes]:
    """(localpart, domain) at the last at sign."""
    at = max((index for index, piece in enumerate(pieces) if piece == (b"@", False)), default=-1)
    if at < 0:
        return _joined(pieces), b""
    return _joined(pieces[:at]), _joined(pieces[at + 1 :])


def _around_at(pieces: list[tuple[bytes, bool]]) -> tuple[int, int]:
    """Where the address around the last at sign starts and ends; white space is part of it only beside dots and @."""
    at = max((index for index, piece in enumerate(pieces) if piece == (b"@", False)), default=-1)
    if at < 0:
        return -1, -1
    start = at
    while start > 0 and not _breaks(pieces, start - 1):
        start -= 1
    end = at + 1
    while end < len(pieces) and not _breaks(pieces, end):
        end += 1
    return start, end


def _breaks(pieces: list[tuple[bytes, bool]], index: int) -> bool:
    if pieces[index] != (b" ", False):
        return False
    before = pieces[index - 1][0] if index else b"."
    after = pieces[index + 1][0] if index + 1 < len(pieces) else b"."
    return not (before.endswith((b".", b"@")) or after.startswith((b".", b"@")))
