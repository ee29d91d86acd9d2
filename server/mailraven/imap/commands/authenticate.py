"""AUTHENTICATE with an initial response (RFC 9051 §6.2.2, RFC 4959), and the lines of its exchange."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer

# base64          = *(4base64-char) [base64-terminal]
# base64-char     = ALPHA / DIGIT / "+" / "/"
# base64-terminal = (2base64-char "==") / (3base64-char "=")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@dataclass(frozen=True, slots=True)
class Authenticate:
    """`initial` is the decoded initial response; None: there is none, b"": it is empty (`=`)."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


def parse(lexer: Lexer) -> Authenticate:
    """authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]."""
    lexer.space()
    mechanism = lexer.word()
    initial = None
    if lexer.take(b" "):
        initial = _initial(lexer.rest())
    lexer.end()
    return Authenticate(mechanism, initial)


def _initial(text: bytes) -> bytes:
    # initial-resp = (base64 / "=")
    if not text:
        raise SyntaxProblem("expected an initial response; an empty one is =")
    return b"" if text == b"=" else _decode(text)


def parse_response(line: bytes) -> bytes | None:
    """A line of the exchange, decoded; None: the client cancels with `*`."""
    return None if line == b"*" else _decode(line)


def _decode(text: bytes) -> bytes:
    if _BASE64.fullmatch(text) is None:
        raise SyntaxProblem("invalid base64")
    return binascii.a2b_base64(text)
