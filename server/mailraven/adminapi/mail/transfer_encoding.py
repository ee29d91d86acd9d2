"""Content-Transfer-Encoding undone piece by piece, so that a download needs little memory (RFC 2045 §6). Pure."""

from __future__ import annotations

import binascii
from typing import Protocol

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_LONGEST_LINE = 64 << 10


class Decoder(Protocol):
    """Takes the encoded octets in order."""

    def feed(self, octets: bytes) -> bytes:
        """What can be decoded so far."""

    def end(self) -> bytes:
        """The rest."""


def decoder(encoding: bytes) -> Decoder:
    """One for an encoding's lower-case name; an unknown one is left as it is."""
    if encoding == b"base64":
        return _Base64()
    if encoding == b"quoted-printable":
        return _QuotedPrintable()
    return _Identity()


class _Identity:
    def feed(self, octets: bytes) -> bytes:
        return octets

    def end(self) -> bytes:
        return b""


class _Base64:
    """Octets outside the alphabet are skipped (RFC 2045 §6.8)."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, octets: bytes) -> bytes:
        clean = self._left + octets.translate(None, _NOT_BASE64)
        whole = len(clean) - len(clean) % 4
        self._left = clean[whole:]
        return binascii.a2b_base64(clean[:whole])

    def end(self) -> bytes:
        odd = len(self._left)
        return binascii.a2b_base64(self._left + b"=" * (4 - odd)) if odd > 1 else b""


class _QuotedPrintable:
    """Line by line: a soft line break is known at the line's end only."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._left + octets
        cut = octets.rfind(b"\n") + 1
        if not cut and len(octets) > _LONGEST_LINE:
            mark = octets.rfind(b"=", len(octets) - 3)
            cut = mark if mark >= 0 else len(octets)
        self._left = octets[cut:]
        return binascii.a2b_qp(octets[:cut])

    def end(self) -> bytes:
        return binascii.a2b_qp(self._left)
