"""APPEND (RFC 9051 §6.3.12), several messages at once (RFC 3502)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.flags import NO_FLAGS, Flags, flags_of
from mailraven.imap.lexer import Lexer
from mailraven.imap.limits import MAX_FLAGS

_MAX_MESSAGES = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `internal_date` is aware, None: now."""

    octets: bytes
    flags: Flags = NO_FLAGS
    internal_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """All messages or none."""

    mailbox: str
    messages: tuple[Message, ...]


def parse(lexer: Lexer) -> Append:
    """append = "APPEND" SP mailbox 1*append-message."""
    lexer.space()
    mailbox = lexer.mailbox()
    messages: list[Message] = []
    while not messages or not lexer.at_end():
        if len(messages) >= _MAX_MESSAGES:
            raise SyntaxProblem(f"APPEND takes {_MAX_MESSAGES} messages at most")
        messages.append(_message(lexer))
    lexer.end()
    return Append(mailbox, tuple(messages))


def _message(lexer: Lexer) -> Message:
    # append-message = [SP flag-list] [SP date-time] SP literal
    lexer.space()
    flags = NO_FLAGS
    internal_date = None
    if lexer.at(b"("):
        flags = flags_of(lexer.parenthesised(lexer.flag, MAX_FLAGS, empty=True))
        lexer.space()
    if lexer.at(b'"'):
        internal_date = lexer.date_time()
        lexer.space()
    if not lexer.at_literal():
        raise SyntaxProblem("expected flags, a date or the message as a literal")
    return Message(lexer.literal().octets, flags, internal_date)
