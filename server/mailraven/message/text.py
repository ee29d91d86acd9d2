"""Decoded text of a message for SEARCH and for previews (RFC 9051 §6.4.4, RFC 8970)."""

import binascii
import html
import re
from collections.abc import Iterator

from mailraven.message.charsets import decode
from mailraven.message.header import header_fields, unfold
from mailraven.message.limits import Budget
from mailraven.message.mime import param, transfer_encoding
from mailraven.message.tree import Kind, Part, parse
from mailraven.message.words import decode_base64, decode_words, fold

MAX_TEXT = 1024 * 1024
MAX_DECODED = 10 * 1024 * 1024
MAX_PREVIEW = 200
# Types of leaves; message/delivery-status is text too.
_SEARCHED = (b"text", b"message")
# A preview needs no more characters of a part than this; HTML starts with much markup.
_PREVIEW_SOURCE = 16 * 1024


def search_text(raw: bytes) -> tuple[str, str]:
    """(header, text), decoded and folded. The text is that of all text parts and of headers of messages within."""
    tree = parse(raw)
    header = _header_text(raw[: min(tree.body, MAX_TEXT)])
    texts: list[str] = []
    kept = decoded = 0
    for part in _in_order(tree):
        if kept >= MAX_TEXT or decoded >= MAX_DECODED:
            break
        if part.kind is Kind.MESSAGE:
            message = part.children[0]
            text = _header_text(raw[message.start : min(message.body, message.start + MAX_TEXT)])
            decoded += len(text)
        elif part.kind is Kind.LEAF and part.media_type.type.lower() in _SEARCHED:
            text = fold(part_text(raw, part, MAX_TEXT - kept))
            decoded += part.octets
        else:
            continue
        texts.append(text)
        kept += len(text) + 1
    return header, "\n".join(texts)[:MAX_TEXT]


def preview(raw: bytes) -> str:
    """The start of the first text that is not an attachment, white space collapsed (RFC 8970 §3.1)."""
    for part in _in_order(parse(raw)):
        if part.kind is not Kind.LEAF or not part.is_text or not part.octets:
            continue
        if part.fields.get(b"content-disposition", b"").lower().startswith(b"attachment"):
            continue
        text = part_text(raw, part, _PREVIEW_SOURCE)
        if part.media_type.subtype.lower() == b"html":
            text = _without_markup(text)
        return " ".join(text.replace("\0", "").split())[:MAX_PREVIEW]
    return ""


def part_text(raw: bytes, part: Part, limit: int) -> str:
    """The first `limit` characters of a leaf's text."""
    # A character takes 12 octets at most: four of UTF-8, each as =XX.
    octets = raw[part.body : min(part.end, part.body + 12 * limit)]
    encoding = transfer_encoding(part.fields.get(b"content-transfer-encoding"), Budget()).lower()
    if encoding == b"base64":
        octets = decode_base64(octets)
    elif encoding == b"quoted-printable":
        octets = binascii.a2b_qp(octets)
    return decode(octets[: 4 * limit], param(part.media_type.params, b"charset") or b"us-ascii")[:limit]


def _in_order(tree: Part) -> Iterator[Part]:
    pending = [tree]
    while pending:
        part = pending.pop()
        yield part
        pending += reversed(part.children)


def _header_text(header: bytes) -> str:
    lines = [b"%b: %b" % (name, unfold(value)) for name, value in header_fields(header)]
    return fold("\n".join(map(decode_words, lines)))[:MAX_TEXT]


_INVISIBLE = re.compile(r"(?is)<(style|script|head|title)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*+>?")
_ENTITY = re.compile(r"&#?\w{1,31};")


def _without_markup(text: str) -> str:
    text = _INVISIBLE.sub(" ", text)
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
