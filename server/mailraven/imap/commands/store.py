"""STORE and UID STORE (RFC 9051 §6.4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.flags import Flags, flags_of
from mailraven.imap.lexer import MAX_NUMBER64, Lexer
from mailraven.imap.limits import MAX_FLAGS
from mailraven.imap.sequence_set import SequenceSet

Operation = Literal["add", "remove", "replace"]


@dataclass(frozen=True, slots=True)
class Store:
    """`uid`: `messages` are UIDs and FETCH responses must show them.

    `unchanged_since`: leave out messages with a higher MODSEQ (RFC 7162 §3.1.3).
    """

    messages: SequenceSet
    operation: Operation
    flags: Flags
    silent: bool = False
    uid: bool = False
    unchanged_since: int | None = None


def parse(lexer: Lexer) -> Store:
    """store = "STORE" SP sequence-set SP store-att-flags."""
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Store:
    """uid = "UID" SP store."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Store:
    lexer.space()
    messages = lexer.sequence_set()
    lexer.space()
    unchanged_since: int | None = None
    if lexer.take(b"("):
        lexer.choice(frozenset({"UNCHANGEDSINCE"}), "STORE modifier")
        lexer.space()
        unchanged_since = lexer.number(MAX_NUMBER64)
        lexer.expect(b")")
        lexer.space()
    operation, silent = _operation(lexer)
    lexer.space()
    if lexer.at(b"("):
        names = lexer.parenthesised(lexer.flag, MAX_FLAGS, empty=True)
    else:
        names = lexer.many(lexer.flag, MAX_FLAGS)
    lexer.end()
    return Store(messages, operation, flags_of(names), silent, uid, unchanged_since)


def _operation(lexer: Lexer) -> tuple[Operation, bool]:
    # store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
    operation: Operation = "add" if lexer.take(b"+") else "remove" if lexer.take(b"-") else "replace"
    word = lexer.word()
    if word not in ("FLAGS", "FLAGS.SILENT"):
        raise SyntaxProblem("expected FLAGS, +FLAGS or -FLAGS, with or without .SILENT")
    return operation, word == "FLAGS.SILENT"
