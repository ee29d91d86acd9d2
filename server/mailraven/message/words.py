"""Encoded words, charsets and case folding: octets of header fields to text (RFC 2047, RFC 6532)."""

import binascii
import re
import unicodedata

from mailraven.message.charsets import decode, decode_unlabelled

# RFC 2047 §2; RFC 2231 §5 adds the language after the charset.
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?+\?([BbQq])\?([^?\r\n]*+)\?=")
_BETWEEN_WORDS = re.compile(rb"[ \t\r\n]*+\Z")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def decode_words(value: bytes) -> str:
    """The text of an unstructured field value, encoded words decoded; octets outside them are UTF-8 or Latin-1."""
    if b"=?" not in value:
        return decode_unlabelled(value)
    text: list[str] = []
    position = 0
    # Neighbours in one charset are joined before they are decoded: some senders split characters.
    charset, octets = b"", b""
    for word in _ENCODED_WORD.finditer(value):
        between = value[position : word.start()]
        if not (position and _BETWEEN_WORDS.match(between)):  # RFC 2047 §6.2: white space between words is dropped
            text += (decode(octets, charset), decode_unlabelled(between))
            octets = b""
        elif word[1].lower() != charset:
            text.append(decode(octets, charset))
            octets = b""
        charset = word[1].lower()
        octets += _word_octets(word[2], word[3])
        position = word.end()
    text += (decode(octets, charset), decode_unlabelled(value[position:]))
    return "".join(text)


def _word_octets(encoding: bytes, encoded: bytes) -> bytes:
    if encoding in b"Bb":
        return decode_base64(encoded)
    return binascii.a2b_qp(encoded, header=True)


def decode_base64(encoded: bytes) -> bytes:
    """What can be decoded; octets outside the alphabet are skipped (RFC 2045 §6.8)."""
    clean = encoded.translate(None, _NOT_BASE64)
    odd = len(clean) % 4
    if odd == 1:
        clean = clean[:-1]
        odd = 0
    return binascii.a2b_base64(clean + b"=" * (4 - odd if odd else 0))


# Normalisation sorts runs of combining marks in quadratic time: feed it short pieces, cut at white space if possible.
_PIECE = re.compile(r"(?s).{1,500}(?:\s|\Z)|.{1,500}")


def fold(text: str) -> str:
    """The form in which SEARCH compares: NFC, case folded, without NUL."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text.lower()
    if len(text) <= 500:
        return _fold_piece(text)
    return "".join(map(_fold_piece, _PIECE.findall(text)))


def _fold_piece(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
