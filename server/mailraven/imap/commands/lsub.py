"""LSUB (RFC 3501 §6.3.9)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Lsub:
    """Reference and pattern, as in LIST."""

    reference: str
    pattern: str


def parse(lexer: Lexer) -> Lsub:
    """lsub = "LSUB" SP mailbox SP list-mailbox."""
    lexer.space()
    reference = lexer.reference()
    lexer.space()
    pattern = lexer.list_mailbox()
    lexer.end()
    return Lsub(reference, pattern)
