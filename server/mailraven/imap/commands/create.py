"""CREATE (RFC 9051 §6.3.4) with the USE parameter (RFC 6154 §3)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.imap.mailbox_name import DELIMITER

SPECIAL_USES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important")
"""Attributes of RFC 6154 §2 and RFC 8457, spelt as there."""
_CANONICAL = {name.lower(): name for name in SPECIAL_USES}


@dataclass(frozen=True, slots=True)
class Create:
    """`mailbox` without a trailing delimiter. `special_use`: attributes as written, known ones spelt canonically."""

    mailbox: str
    special_use: tuple[str, ...] = ()


def parse(lexer: Lexer) -> Create:
    """create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]."""
    lexer.space()
    # RFC 9051 §6.3.4: a trailing delimiter only says that names will be created below this one
    mailbox = lexer.mailbox().removesuffix(DELIMITER)
    if not mailbox:
        raise SyntaxProblem("the mailbox name is empty")
    uses: list[str] = []
    if lexer.take(b" "):
        lexer.expect(b"(")
        if lexer.word() != "USE":
            raise SyntaxProblem("CREATE knows the parameter USE only")
        lexer.space()
        uses = lexer.parenthesised(lambda: _use(lexer), len(SPECIAL_USES), empty=True)
        lexer.expect(b")")
    lexer.end()
    return Create(mailbox, tuple(uses))


def _use(lexer: Lexer) -> str:
    if not lexer.at(b"\\"):
        raise SyntaxProblem("a special use begins with a backslash")
    name = lexer.flag().decode("ascii")
    return _CANONICAL.get(name.lower(), name)
