"""IDLE (RFC 2177): no arguments; ended by a line DONE, which is no command."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Idle:
    """No arguments."""


def parse(lexer: Lexer) -> Idle:
    """idle = "IDLE" CRLF "DONE"."""
    lexer.end()
    return Idle()


def is_done(line: bytes) -> bool:
    """Whether a line ends IDLE."""
    return line.upper() == b"DONE"
