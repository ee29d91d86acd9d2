"""RENAME (RFC 9051 §6.3.6)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Rename:
    """Old name, new name."""

    source: str
    target: str


def parse(lexer: Lexer) -> Rename:
    """rename = "RENAME" SP mailbox SP mailbox."""
    lexer.space()
    source = lexer.mailbox()
    lexer.space()
    target = lexer.mailbox()
    lexer.end()
    return Rename(source, target)
