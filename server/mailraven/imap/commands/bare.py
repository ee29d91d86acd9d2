"""Commands without arguments: CAPABILITY NOOP LOGOUT STARTTLS CHECK CLOSE UNSELECT NAMESPACE."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Bare:
    """No arguments."""


def parse(lexer: Lexer) -> Bare:
    """Nothing may follow the command's name."""
    lexer.end()
    return Bare()
