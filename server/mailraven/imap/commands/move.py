"""MOVE and UID MOVE (RFC 9051 §6.4.8, RFC 6851)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer
from mailraven.imap.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Move:
    """`uid`: `messages` are UIDs."""

    messages: SequenceSet
    mailbox: str
    uid: bool = False


def parse(lexer: Lexer) -> Move:
    """move = "MOVE" SP sequence-set SP mailbox."""
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Move:
    """uid = "UID" SP move."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Move:
    lexer.space()
    messages = lexer.sequence_set()
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return Move(messages, mailbox, uid)
