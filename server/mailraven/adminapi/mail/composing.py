"""A message out of JSON: header and MIME parts (RFC 5322, RFC 2045-2047, RFC 2183, RFC 2231, RFC 2387). Pure.

By hand, as notifications are: each field is encoded by one function here, so that nothing that came in can end a line.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from mailraven_api.message import Attachment, Correspondent, Send

_LINE_END = re.compile(r"\r\n|\r|\n")
_PLAIN = re.compile(r"[ -~]*")
_QUOTED_SPECIAL = re.compile(r'(["\\])')
_LONG = 900  # octets of a line that are sent as they are (RFC 5322 §2.1.1: 998)
_WIDTH = 76
_WORD_OCTETS = 45  # of UTF-8 in an encoded word of 75 characters (RFC 2047 §2)


class BadAttachment(ValueError):
    """Its content is not base64."""


@dataclass(frozen=True, slots=True)
class Composed:
    """`bcc` is a field of its own: it stands before `raw` in the sender's copy, and nowhere else."""

    raw: bytes
    bcc: bytes


def compose(message: Send, *, date: str, message_id: str, boundary: str) -> Composed:
    """Addresses are those of the models with their domains as A-labels already. BadAttachment."""
    fields = [
        f"Date: {date}\r\n",
        _people("From", [message.from_]),
        _people("To", message.to),
        _people("Cc", message.cc),
        _people("Reply-To", message.reply_to),
        f"Subject: {unstructured(message.subject)}\r\n",
        f"Message-ID: {message_id}\r\n",
        f"In-Reply-To: {message.in_reply_to}\r\n" if message.in_reply_to else "",
        "References: " + "\r\n ".join(message.references) + "\r\n" if message.references else "",
        "MIME-Version: 1.0\r\n",
    ]
    if not message.to and not message.cc:
        fields.insert(2, "To: undisclosed-recipients:;\r\n")  # RFC 5322 §A.1.3: an empty group says it
    bcc = _people("Bcc", message.bcc).encode()
    return Composed("".join(fields).encode() + _body(message, boundary), bcc)


def unstructured(text: str) -> str:
    """A field's text: as it is where that is safe, else in encoded words, folded."""
    if _PLAIN.fullmatch(text) and len(text) <= _LONG and "=?" not in text and text == text.strip():
        return "\r\n ".join(_folded(text)) if len(text) > _WIDTH else text
    return "\r\n ".join(_encoded_words(text))


def _folded(text: str) -> list[str]:
    """Broken before single spaces between words, which unfolding gives back."""
    lines = [""]
    for number, word in enumerate(text.split(" ")):
        if number and lines[-1].strip() and word and len(lines[-1]) + len(word) >= _WIDTH:
            lines.append(word)
        else:
            lines[-1] += (" " if number else "") + word
    return lines


def _encoded_words(text: str) -> list[str]:
    words: list[str] = []
    octets = b""
    for character in text:
        encoded = character.encode()
        if len(octets) + len(encoded) > _WORD_OCTETS:
            words.append(_encoded_word(octets))
            octets = b""
        octets += encoded
    words.append(_encoded_word(octets))
    return words


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(octets).decode()}?="


def _people(field: str, people: Sequence[Correspondent]) -> str:
    return f"{field}: " + ",\r\n ".join(map(_mailbox, people)) + "\r\n" if people else ""


def _mailbox(one: Correspondent) -> str:
    if not one.name:
        return one.address
    if _PLAIN.fullmatch(one.name) and "=?" not in one.name:
        phrase = '"' + _QUOTED_SPECIAL.sub(r"\\\1", one.name) + '"'
    else:
        phrase = "\r\n ".join(_encoded_words(one.name))
    return f"{phrase} <{one.address}>"


def _body(message: Send, boundary: str) -> bytes:
    inline = [one for one in message.attachments if one.content_id and message.html is not None]
    files = [one for one in message.attachments if one not in inline]
    body = _text("plain", message.text)
    if message.html is not None:
        html = _text("html", message.html)
        if inline:
            html = _multipart('related; type="text/html"', f"{boundary}r", [html, *map(_file, inline)])
        body = _multipart("alternative", f"{boundary}a", [body, html]) if message.text else html
    return _multipart("mixed", f"{boundary}m", [body, *map(_file, files)]) if files else body


def _multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    mark = b"--" + boundary.encode()
    pieces = [head]
    for part in parts:
        pieces += (mark, b"\r\n", part, b"" if part.endswith(b"\r\n") else b"\r\n")
        pieces.append(b"\r\n")
    return b"".join((*pieces, mark, b"--\r\n"))


def _text(subtype: str, text: str) -> bytes:
    text = _LINE_END.sub("\n", text)
    if text and not text.endswith("\n"):
        text += "\n"
    octets = text.encode()
    if text.isascii() and all(len(line) <= _LONG for line in text.split("\n")):
        encoding, encoded = "7bit", octets.replace(b"\n", b"\r\n")
    elif 3 * sum(octet > 0x7F for octet in octets) <= len(octets):
        encoding, encoded = "quoted-printable", binascii.b2a_qp(octets, istext=True).replace(b"\n", b"\r\n")
    else:
        encoding, encoded = "base64", _base64(octets.replace(b"\n", b"\r\n"))
    charset = "us-ascii" if text.isascii() else "utf-8"
    head = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + encoded


def _base64(octets: bytes) -> bytes:
    encoded = binascii.b2a_base64(octets, newline=False)
    return b"\r\n".join(encoded[at : at + _WIDTH] for at in range(0, len(encoded), _WIDTH)) + b"\r\n"


def _file(attachment: Attachment) -> bytes:
    try:
        octets = binascii.a2b_base64(attachment.content, strict_mode=True)
    except ValueError:
        raise BadAttachment(f"the content of {attachment.name!r} is not base64") from None
    media = attachment.type.lower()
    if media.startswith(("multipart/", "message/")):
        media = "application/octet-stream"  # RFC 2045 §6.4: those cannot be in base64
    head = f"Content-Type: {media}\r\nContent-Transfer-Encoding: base64\r\n"
    shown = "inline" if attachment.content_id else "attachment"
    head += f"Content-Disposition: {shown};\r\n {_filename(attachment.name)}\r\n"
    if attachment.content_id:
        head += f"Content-ID: <{attachment.content_id}>\r\n"
    return head.encode() + b"\r\n" + _base64(octets)


def _filename(name: str) -> str:
    if _PLAIN.fullmatch(name) and len(name) <= _WIDTH and "=?" not in name:
        return 'filename="' + _QUOTED_SPECIAL.sub(r"\\\1", name) + '"'
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", quote(name, safe=""))  # 60 characters at most
    pieces[0] = f"UTF-8''{pieces[0]}"
    if len(pieces) == 1:
        return f"filename*={pieces[0]}"
    return ";\r\n ".join(f"filename*{number}*={piece}" for number, piece in enumerate(pieces))  # RFC 2231 §4.1
