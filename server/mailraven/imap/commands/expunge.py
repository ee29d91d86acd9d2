"""EXPUNGE (RFC 9051 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer
from mailraven.imap.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Expunge:
    """`uids`: only among these; None: EXPUNGE of all that are \\Deleted."""

    uids: SequenceSet | None = None


def parse(lexer: Lexer) -> Expunge:
    """expunge = "EXPUNGE"."""
    lexer.end()
    return Expunge()


def parse_uid(lexer: Lexer) -> Expunge:
    """uid-expunge = "UID" SP "EXPUNGE" SP sequence-set."""
    lexer.space()
    uids = lexer.sequence_set()
    lexer.end()
    return Expunge(uids)
