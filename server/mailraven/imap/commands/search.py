"""SEARCH and UID SEARCH (RFC 9051 §6.4.4): options here, keys in search_keys.py."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.charsets import codec_of
from mailraven.imap.lexer import Lexer
from mailraven.imap.search_keys import And, Key, KeyParser


@dataclass(frozen=True, slots=True)
class Search:
    """`uid`: the answer gives UIDs."""

    program: Key
    uid: bool = False


def parse(lexer: Lexer) -> Search:
    """search = "SEARCH" SP ["CHARSET" SP charset SP] search-key *(SP search-key). May raise BadCharset."""
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Search:
    """uid = "UID" SP search."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Search:
    lexer.space()
    codec = codec_of("UTF-8")
    if lexer.take_word("CHARSET"):
        lexer.space()
        codec = codec_of(lexer.astring().decode("ascii", "replace"))
        lexer.space()
    parser = KeyParser(lexer, codec)
    keys = lexer.many(parser.key, parser.limit)
    lexer.end()
    return Search(keys[0] if len(keys) == 1 else And(tuple(keys)), uid)
