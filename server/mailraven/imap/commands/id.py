"""ID (RFC 2971)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer

# RFC 2971 §3.3: 30 pairs, fields of 30 octets, values of 1024 octets at most
_MAX_PAIRS = 30
_MAX_FIELD = 30
_MAX_VALUE = 1024


@dataclass(frozen=True, slots=True)
class Id:
    """What the client says of itself, as text; empty for NIL."""

    parameters: tuple[tuple[str, str | None], ...] = ()


def parse(lexer: Lexer) -> Id:
    """id_params_list = "(" #(string SP nstring) ")" / nil."""
    lexer.space()
    pairs: list[tuple[str, str | None]] = []
    if lexer.at(b"("):
        pairs = lexer.parenthesised(lambda: _pair(lexer), _MAX_PAIRS, empty=True)
    elif lexer.nstring() is not None:
        raise SyntaxProblem("expected NIL or a list of fields and values")
    lexer.end()
    return Id(tuple(pairs))


def _pair(lexer: Lexer) -> tuple[str, str | None]:
    field = lexer.string()
    lexer.space()
    value = lexer.nstring()
    if len(field) > _MAX_FIELD or len(value or b"") > _MAX_VALUE:
        raise SyntaxProblem("a field or value of ID is too long")
    return field.decode("utf-8", "replace"), None if value is None else value.decode("utf-8", "replace")
