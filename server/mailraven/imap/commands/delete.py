"""DELETE (RFC 9051 §6.3.5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Delete:
    """The mailbox to delete."""

    mailbox: str


def parse(lexer: Lexer) -> Delete:
    """delete = "DELETE" SP mailbox."""
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return Delete(mailbox)
