"""MIME parameters decoded (RFC 2231), file names made safe, Content-Disposition of answers (RFC 6266). Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from mailraven.message import decode_words
from mailraven.message.charsets import decode
from mailraven.message.mime import Params

MAX_NAME = 200
_MAX_SEGMENTS = 100
_SEGMENT = re.compile(rb"([^*]+)(?:\*(\d{1,4}))?(\*)?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_ASCII_NAME = re.compile(r"[^A-Za-z0-9 !#$&+,.;=@^_`{}~()\[\]-]")
# Windows and shells read these as something else; the last ones turn the direction of writing.
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')


def parameter(params: Params, name: bytes) -> str | None:
    """A parameter's text: extended or continued (RFC 2231), plain, or with encoded words that are not allowed."""
    plain: bytes | None = None
    segments: dict[int, tuple[bytes, bool]] = {}
    for key, value in params:
        found = _SEGMENT.fullmatch(key)
        if found is None or found[1].lower() != name:
            continue
        if found[2] is None and found[3] is None:
            plain = value if plain is None else plain
        elif len(segments) < _MAX_SEGMENTS:
            segments.setdefault(int(found[2] or 0), (value, found[3] is not None))
    if 0 in segments:
        return _joined(segments)
    return None if plain is None else decode_words(plain[:4096])


def _joined(segments: dict[int, tuple[bytes, bool]]) -> str:
    charset = b"utf-8"
    octets = b""
    number = 0
    while number in segments:
        value, extended = segments[number]
        if extended:
            if number == 0 and value.count(b"'") >= 2:  # RFC 2231 §4: charset'language'text
                charset, _, value = value.split(b"'", 2)
            value = _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), value)
        octets += value
        number += 1
    return decode(octets[:4096], charset)


def safe_name(name: str | None) -> str | None:
    """A file name without folders and tricks; None: nothing is left of it."""
    if not name:
        return None
    name = unicodedata.normalize("NFC", name[: 4 * MAX_NAME]).replace("\\", "/").rpartition("/")[2]
    name = _UNSAFE.sub("_", name).strip(" .")
    if len(name) > MAX_NAME:
        stem, dot, suffix = name.rpartition(".")
        keep = dot and len(suffix) <= 16
        name = stem[: MAX_NAME - len(suffix) - 1] + dot + suffix if keep else name[:MAX_NAME]
    return name or None


def attachment(name: str) -> str:
    """Content-Disposition of a download: never shown in the browser (RFC 6266 §4.3, appendix D)."""
    plain = _NOT_ASCII_NAME.sub("_", name)
    extended = quote(name.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")  # RFC 8187 §3.2.1 attr-char
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"
