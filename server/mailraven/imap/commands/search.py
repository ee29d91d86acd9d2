"""SEARCH and UID SEARCH (RFC 9051 §6.4.4): options here, keys in search_keys.py."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.charsets import codec_of
from mailraven.imap.lexer import Lexer
from mailraven.imap.search_keys import And, Key, KeyParser
from mailraven.imap.window import Window, parse_window

# search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" (RFC 4731, RFC 5182) / "PARTIAL" (RFC 9394)
RETURN_OPTIONS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL"})


@dataclass(frozen=True, slots=True)
class Search:
    """`uid`: the answer gives UIDs. `returns`: None without RETURN, which asks for SEARCH, not for ESEARCH."""

    program: Key
    uid: bool = False
    returns: frozenset[str] | None = None
    partial: Window | None = None


def parse(lexer: Lexer) -> Search:
    """search = "SEARCH" [search-return-opts] SP ["CHARSET" SP charset SP] search-key *(SP search-key).

    May raise BadCharset.
    """
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Search:
    """uid = "UID" SP search."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Search:
    lexer.space()
    returns: frozenset[str] | None = None
    windows: list[Window] = []
    if lexer.take_word("RETURN"):
        lexer.space()
        names = lexer.parenthesised(lambda: _option(lexer, windows), len(RETURN_OPTIONS), empty=True)
        returns = frozenset(names or {"ALL"})  # RFC 4731 §3.1: RETURN () is RETURN (ALL)
        lexer.space()
    codec = codec_of("UTF-8")
    if lexer.take_word("CHARSET"):
        lexer.space()
        codec = codec_of(lexer.astring().decode("ascii", "replace"))
        lexer.space()
    parser = KeyParser(lexer, codec)
    keys = lexer.many(parser.key, parser.limit)
    lexer.end()
    program = keys[0] if len(keys) == 1 else And(tuple(keys))
    return Search(program, uid, returns, windows[-1] if windows else None)


def _option(lexer: Lexer, windows: list[Window]) -> str:
    name = lexer.choice(RETURN_OPTIONS, "SEARCH return option")
    if name == "PARTIAL":
        lexer.space()
        windows.append(parse_window(lexer))
    return name
