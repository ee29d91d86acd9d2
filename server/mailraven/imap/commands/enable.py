"""ENABLE (RFC 5161)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer

_MAX_CAPABILITIES = 50


@dataclass(frozen=True, slots=True)
class Enable:
    """Capabilities in capitals; unknown ones are to be ignored (RFC 5161 §3.1)."""

    capabilities: tuple[str, ...]


def parse(lexer: Lexer) -> Enable:
    """enable = "ENABLE" 1*(SP capability)."""
    lexer.space()
    capabilities = lexer.many(lexer.word, _MAX_CAPABILITIES)
    lexer.end()
    return Enable(tuple(dict.fromkeys(capabilities)))
