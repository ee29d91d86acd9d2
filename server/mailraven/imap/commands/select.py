"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Select:
    """`read_only`: EXAMINE."""

    mailbox: str
    read_only: bool = False


def parse(lexer: Lexer) -> Select:
    """select = "SELECT" SP mailbox."""
    return _parse(lexer, read_only=False)


def parse_examine(lexer: Lexer) -> Select:
    """examine = "EXAMINE" SP mailbox."""
    return _parse(lexer, read_only=True)


def _parse(lexer: Lexer, *, read_only: bool) -> Select:
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return Select(mailbox, read_only)
