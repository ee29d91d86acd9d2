"""LOGIN (RFC 9051 §6.2.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer

MAX_CREDENTIAL = 1024
"""Octets of a user name or a password."""


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password as text."""

    user: str
    password: str = field(repr=False)


def parse(lexer: Lexer) -> Login:
    """login = "LOGIN" SP userid SP password."""
    lexer.space()
    user = _text(lexer.astring())
    lexer.space()
    password = _text(lexer.astring())
    lexer.end()
    return Login(user, password)


def _text(octets: bytes) -> str:
    if len(octets) > MAX_CREDENTIAL:
        raise SyntaxProblem(f"user name and password may have {MAX_CREDENTIAL} octets at most")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxProblem("user name and password must be UTF-8") from None
