"""Reading ENVELOPE and BODYSTRUCTURE, as the mailstore keeps them, in bounded time (RFC 9051 §7.5.2). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from mailraven.message import decode_words
from mailraven_api.message import MailAddress

Value: TypeAlias = "bytes | list[Value] | None"

MAX_ENVELOPE = 16 << 10
"""Octets that are read: what lies beyond is long lists of recipients."""
MAX_STRUCTURE = 64 << 10
MAX_ADDRESSES = 25
_MAX_TEXT = 4096

_TOKEN = re.compile(rb'\s*+(?:"((?:[^"\\]++|\\.)*+)"?|\{(\d{1,9})\}\r\n|([()]|[^\s()"]++))', re.DOTALL)
_WORD = re.compile(rb"[()]|[^\s()]+")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
# As a disposition, not as a parameter: its parameters follow, or NIL.
_ATTACHMENT = re.compile(rb'\("attachment" (?:\(|NIL\))', re.IGNORECASE)
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields of an envelope, decoded."""

    date: str
    subject: str
    from_: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    in_reply_to: str


def envelope(octets: bytes) -> Envelope:
    """Of a wire form that may be cut; what is missing is empty."""
    fields = parse(octets[:MAX_ENVELOPE])
    fields += [None] * (10 - len(fields))
    date, subject, from_, _sender, _reply_to, to, cc, _bcc, in_reply_to, _message_id = fields[:10]
    return Envelope(text(date), text(subject), people(from_), people(to), people(cc), text(in_reply_to))


def has_attachment(bodystructure: bytes) -> bool:
    """Whether a part is marked as an attachment, as far as the structure is read."""
    return _ATTACHMENT.search(bodystructure, 0, MAX_STRUCTURE) is not None


def parse(octets: bytes) -> list[Value]:
    """The outermost list. Lists that are cut off are closed; nothing raises."""
    root: list[Value] = []
    open_lists = [root]
    if b"{" in octets or b"\\" in octets:
        _read_any(octets, open_lists)
    else:
        _read_plain(octets, open_lists)
    first = root[0] if root else None
    return first if isinstance(first, list) else []


def _read_plain(octets: bytes, open_lists: list[list[Value]]) -> None:
    """Without literals and escapes, as nearly all are: each second piece between quotation marks is a string."""
    quoted = True
    for piece in octets.split(b'"'):
        quoted = not quoted
        if quoted:
            open_lists[-1].append(piece)
        elif piece != b" ":
            for word in _WORD.findall(piece):
                _structure(word, open_lists)


def _read_any(octets: bytes, open_lists: list[list[Value]]) -> None:
    position = 0
    while (token := _TOKEN.match(octets, position)) is not None:
        position = token.end()
        quoted, literal, word = token.groups()
        if literal is not None:
            end = position + int(literal)
            open_lists[-1].append(octets[position:end])
            position = end
        elif quoted is not None:
            open_lists[-1].append(_ESCAPE.sub(rb"\1", quoted))
        else:
            _structure(word, open_lists)


def _structure(word: bytes, open_lists: list[list[Value]]) -> None:
    if word == b"(":
        inner: list[Value] = []
        open_lists[-1].append(inner)
        open_lists.append(inner)
    elif word == b")":
        if len(open_lists) > 1:
            open_lists.pop()
    else:
        open_lists[-1].append(None if word.upper() == b"NIL" else word)


def text(value: Value) -> str:
    """A string, decoded (RFC 2047)."""
    return clean(decode_words(value[:_MAX_TEXT])) if isinstance(value, bytes) else ""


def people(value: Value, limit: int = MAX_ADDRESSES) -> tuple[MailAddress, ...]:
    """The first mailboxes of an address list; groups are passed over, their members are not."""
    found: list[MailAddress] = []
    for one in value if isinstance(value, list) else ():
        if len(found) == limit:
            break
        if isinstance(one, list) and len(one) == 4 and isinstance(one[2], bytes) and isinstance(one[3], bytes):
            found.append(MailAddress(name=text(one[0]), address=f"{text(one[2])}@{text(one[3])}"))
    return tuple(found)


def clean(value: str) -> str:
    """Without what JSON and Postgres cannot carry."""
    if value.isascii() and "\0" not in value:
        return value
    return _UNSENDABLE.sub("\ufffd", value)
