"""One message as data: fields, addresses, texts and the list of its parts, each of them bounded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailraven.adminapi.mail.naming import parameter, safe_name
from mailraven.adminapi.mail.wire import clean
from mailraven.message import Kind, Part, decode_words, header_fields, parse, part_at, unfold
from mailraven.message.address import read_addresses
from mailraven.message.limits import Budget
from mailraven.message.mime import disposition, param, transfer_encoding
from mailraven.message.text import part_text
from mailraven_api.message import HeaderField, MailAddress, MessagePart, MessageText

MAX_TEXT = 512 << 10
"""Characters of all text parts of one kind together."""
MAX_PARTS = 1000
MAX_ADDRESSES = 500
_MAX_FIELDS = 500
_MAX_FIELD = 8192
_MAX_REFERENCES = 200
_MAX_LEVELS = 32
_MSG_ID = re.compile(rb"<[^<>\s\x00-\x20\x7f-\xff]{1,990}>")
_CHARSET = re.compile(r"[A-Za-z0-9!#$%&'+\-^_`{}~.]{1,40}")


@dataclass(frozen=True, slots=True)
class Read:
    """What of a message depends on its octets alone."""

    subject: str
    from_: tuple[MailAddress, ...]
    sender: tuple[MailAddress, ...]
    reply_to: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    bcc: tuple[MailAddress, ...]
    date: str
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    headers: tuple[HeaderField, ...]
    text: tuple[MessageText, ...]
    html: tuple[MessageText, ...]
    parts: tuple[MessagePart, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where the body of a part is, and how to hand it out."""

    start: int
    end: int
    encoding: bytes
    type: str
    charset: str | None
    name: str | None


def read(raw: bytes) -> Read:
    """Never raises."""
    tree = parse(raw)
    fields = [(name, value) for name, value in header_fields(raw[: tree.body])]
    people = {name: _people(tree.fields.get(name)) for name in _ADDRESS_FIELDS}
    leaves = list(_leaves(tree))
    get = tree.fields.get
    return Read(
        subject=_text(get(b"subject")),
        from_=people[b"from"],
        sender=people[b"sender"],
        reply_to=people[b"reply-to"],
        to=people[b"to"],
        cc=people[b"cc"],
        bcc=people[b"bcc"],
        date=_text(get(b"date")),
        message_id=_text(get(b"message-id")),
        in_reply_to=_text(get(b"in-reply-to")),
        references=_references(fields),
        headers=tuple(
            HeaderField(name=clean(name.decode("latin-1")), value=_text(unfold(v))) for name, v in _some(fields)
        ),
        text=_texts(raw, leaves, b"plain"),
        html=_texts(raw, leaves, b"html"),
        parts=tuple(_part(section, part) for section, part in leaves[:MAX_PARTS]),
        truncated=len(fields) > _MAX_FIELDS
        or len(leaves) > MAX_PARTS
        or any(len(found) >= MAX_ADDRESSES for found in people.values()),
    )


def locate(raw: bytes, section: str) -> Place | None:
    """The part that a section number names; None: there is none."""
    part = part_at(parse(raw), tuple(int(number) for number in section.split(".")))
    if part is None or part.kind is Kind.MULTIPART:
        return None
    described = _part(section, part)
    encoding = transfer_encoding(part.fields.get(b"content-transfer-encoding"), Budget()).lower()
    return Place(part.body, part.end, encoding, described.type, described.charset, described.name)


_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def _some(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return fields[:_MAX_FIELDS]


def _text(value: bytes | None) -> str:
    return clean(decode_words(value[:_MAX_FIELD])) if value else ""


def _people(value: bytes | None) -> tuple[MailAddress, ...]:
    if not value:
        return ()
    found = read_addresses(value, MAX_ADDRESSES)
    return tuple(
        MailAddress(name=_text(one.display_name), address=f"{_text(one.localpart)}@{_text(one.domain)}")
        for one in found
        if one.localpart is not None and one.domain is not None
    )


def _references(fields: list[tuple[bytes, bytes]]) -> tuple[str, ...]:
    for name, value in fields:
        if name.lower() == b"references":
            found = _MSG_ID.findall(unfold(value))
            return tuple(one.decode("ascii") for one in found[-_MAX_REFERENCES:])
    return ()


def _leaves(tree: Part) -> Iterator[tuple[str, Part]]:
    """(section, part) in order; a message within is one leaf."""
    if tree.kind is not Kind.MULTIPART:
        yield "1", tree
        return
    pending = [(str(number), child, 1) for number, child in enumerate(tree.children, 1)][::-1]
    while pending:
        section, part, level = pending.pop()
        if part.kind is not Kind.MULTIPART or level >= _MAX_LEVELS:
            yield section, part
            continue
        children = [(f"{section}.{number}", child, level + 1) for number, child in enumerate(part.children, 1)]
        pending += children[::-1]


def _texts(raw: bytes, leaves: list[tuple[str, Part]], subtype: bytes) -> tuple[MessageText, ...]:
    texts: list[MessageText] = []
    left = MAX_TEXT
    for section, part in leaves:
        if not part.is_text or part.media_type.subtype.lower() != subtype or _is_attachment(part):
            continue
        if left <= 0 or len(texts) == MAX_PARTS:
            break
        text = clean(part_text(raw, part, left))
        texts.append(MessageText(section=section, text=text, truncated=len(text) >= left))
        left -= len(text)
    return tuple(texts)


def _is_attachment(part: Part) -> bool:
    return part.fields.get(b"content-disposition", b"").lstrip().lower().startswith(b"attachment")


def _part(section: str, part: Part) -> MessagePart:
    media = part.media_type
    budget = Budget()
    given = part.fields.get(b"content-disposition")
    shown = disposition(given, budget) if given else None
    name = parameter(shown[1], b"filename") if shown else None
    charset = param(media.params, b"charset")
    charset_name = charset.decode("latin-1") if charset else ""
    return MessagePart(
        section=section,
        type=clean(f"{media.type.decode('latin-1')}/{media.subtype.decode('latin-1')}".lower())[:255],
        charset=charset_name.lower() if _CHARSET.fullmatch(charset_name) else None,
        name=safe_name(clean(name or parameter(media.params, b"name") or "")),
        disposition=clean(shown[0].decode("latin-1").lower())[:64] if shown else None,
        content_id=_text(part.fields.get(b"content-id"))[:998] or None,
        encoding=clean(
            transfer_encoding(part.fields.get(b"content-transfer-encoding"), budget).decode("latin-1").lower()
        )[:64],
        size=part.octets,
    )
