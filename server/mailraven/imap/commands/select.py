"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3), with CONDSTORE and QRESYNC (RFC 7162 §3.1.8, §3.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import MAX_NUMBER64, Lexer
from mailraven.imap.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Resync:
    """What the client knew when it left the mailbox. `known`: UIDs it has; None: all below its UIDNEXT."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """`read_only`: EXAMINE."""

    mailbox: str
    read_only: bool = False
    condstore: bool = False
    resync: Resync | None = None


def parse(lexer: Lexer) -> Select:
    """select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]."""
    return _parse(lexer, read_only=False)


def parse_examine(lexer: Lexer) -> Select:
    """examine = "EXAMINE" SP mailbox [select-params]."""
    return _parse(lexer, read_only=True)


def _parse(lexer: Lexer, *, read_only: bool) -> Select:
    lexer.space()
    mailbox = lexer.mailbox()
    parameters: list[Resync | None] = []
    if lexer.take(b" "):
        parameters = lexer.parenthesised(lambda: _parameter(lexer), 2)
    lexer.end()
    resync = next((one for one in parameters if one is not None), None)
    return Select(mailbox, read_only, condstore=bool(parameters), resync=resync)


def _parameter(lexer: Lexer) -> Resync | None:
    """None: CONDSTORE."""
    if lexer.choice(frozenset({"CONDSTORE", "QRESYNC"}), "SELECT parameter") == "CONDSTORE":
        return None
    # "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
    lexer.space()
    lexer.expect(b"(")
    uidvalidity = lexer.nz_number()
    lexer.space()
    modseq = lexer.nz_number(MAX_NUMBER64)
    known: SequenceSet | None = None
    if lexer.take(b" "):
        if lexer.at(b"("):
            _match_data(lexer)
        else:
            known = _plain_set(lexer)
            if lexer.take(b" "):
                _match_data(lexer)
    lexer.expect(b")")
    return Resync(uidvalidity, modseq, known)


def _match_data(lexer: Lexer) -> None:
    """seq-match-data: a hint for servers that have forgotten what was expunged; we have not, and need none."""
    lexer.expect(b"(")
    _plain_set(lexer)
    lexer.space()
    _plain_set(lexer)
    lexer.expect(b")")


def _plain_set(lexer: Lexer) -> SequenceSet:
    found = lexer.sequence_set()
    if found.saved or any(0 in pair for pair in found.ranges):
        raise SyntaxProblem("expected a set without * and $")  # RFC 7162 §7: known-uids
    return found
