"""LIST, basic and extended (RFC 9051 §6.3.9, RFC 5258, RFC 5819 STATUS, RFC 6154 SPECIAL-USE)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.commands.status import status_items
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.imap.limits import MAX_LIST_PATTERNS

SELECTION_OPTIONS = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
RETURN_OPTIONS = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"})


@dataclass(frozen=True, slots=True)
class List:
    """`extended`: options or several patterns were given, so an empty pattern has no special meaning."""

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False


def parse(lexer: Lexer) -> List:
    """list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]."""
    lexer.space()
    extended = False
    select: frozenset[str] = frozenset()
    if lexer.at(b"("):
        extended = True
        options = lexer.parenthesised(
            lambda: lexer.choice(SELECTION_OPTIONS, "LIST option"), len(SELECTION_OPTIONS), empty=True
        )
        select = frozenset(options)
        lexer.space()
    reference = lexer.reference()
    lexer.space()
    if lexer.at(b"("):
        extended = True
        patterns = lexer.parenthesised(lexer.list_mailbox, MAX_LIST_PATTERNS)
    else:
        patterns = [lexer.list_mailbox()]
    returns: dict[str, tuple[str, ...]] = {}
    if lexer.take(b" "):
        extended = True
        returns = _return_options(lexer)
    lexer.end()
    if "RECURSIVEMATCH" in select and not select - {"RECURSIVEMATCH", "REMOTE"}:
        # RFC 5258 §3.1: RECURSIVEMATCH alone, or with REMOTE only, means nothing
        raise SyntaxProblem("RECURSIVEMATCH needs an option like SUBSCRIBED beside it")
    return List(reference, tuple(patterns), select, frozenset(returns), returns.get("STATUS", ()), extended=extended)


def _return_options(lexer: Lexer) -> dict[str, tuple[str, ...]]:
    if lexer.word() != "RETURN":
        raise SyntaxProblem("expected RETURN after the patterns")
    lexer.space()
    return dict(lexer.parenthesised(lambda: _return_option(lexer), len(RETURN_OPTIONS), empty=True))


def _return_option(lexer: Lexer) -> tuple[str, tuple[str, ...]]:
    option = lexer.choice(RETURN_OPTIONS, "LIST return option")
    if option != "STATUS":
        return option, ()
    lexer.space()
    return option, status_items(lexer)
