"""COPY and UID COPY (RFC 9051 §6.4.7)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer
from mailraven.imap.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Copy:
    """`uid`: `messages` are UIDs."""

    messages: SequenceSet
    mailbox: str
    uid: bool = False


def parse(lexer: Lexer) -> Copy:
    """copy = "COPY" SP sequence-set SP mailbox."""
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Copy:
    """uid = "UID" SP copy."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Copy:
    lexer.space()
    messages = lexer.sequence_set()
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return Copy(messages, mailbox, uid)
