"""Charsets that SEARCH takes (RFC 9051 §6.4.4): each decodes strictly, without surprises."""

from __future__ import annotations

from mailraven.imap.errors import BadCharset

CHARSETS = (
    "UTF-8",
    "US-ASCII",
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-5",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-9",
    "ISO-8859-15",
    "WINDOWS-1250",
    "WINDOWS-1251",
    "WINDOWS-1252",
    "WINDOWS-1253",
    "WINDOWS-1254",
    "WINDOWS-1255",
    "WINDOWS-1256",
    "WINDOWS-1257",
    "WINDOWS-1258",
    "KOI8-R",
    "KOI8-U",
    "ISO-2022-JP",
    "SHIFT_JIS",
    "EUC-JP",
    "EUC-KR",
    "GB2312",
    "GBK",
    "GB18030",
    "BIG5",
)
"""IANA names, which Python's codecs know too."""


def codec_of(charset: str) -> str:
    """The codec of a charset's name in any case, or BadCharset."""
    name = charset.upper()
    if name not in CHARSETS:
        raise BadCharset(charset)
    return name
