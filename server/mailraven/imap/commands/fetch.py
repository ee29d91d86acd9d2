"""FETCH and UID FETCH (RFC 9051 §6.4.5; RFC822 items and macros of RFC 3501 §6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.imap.section import parse_section, render_section
from mailraven.imap.sequence_set import SequenceSet
from mailraven.message.section import Section

_MAX_ITEMS = 500


class Item(StrEnum):
    """Items that are not octets of the message."""

    FLAGS = "FLAGS"
    UID = "UID"
    INTERNALDATE = "INTERNALDATE"
    RFC822_SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    BODY = "BODY"
    """BODYSTRUCTURE without extension data."""


@dataclass(frozen=True, slots=True)
class BodyItem:
    """Octets of the message; RFC822, RFC822.HEADER and RFC822.TEXT are sections with a label of their own."""

    section: Section
    peek: bool
    """Does not set \\Seen."""
    partial: tuple[int, int] | None = None
    """First octet, and how many at most (RFC 9051 §6.4.5 `<partial>`)."""
    label: bytes = b"BODY[]"
    """How the response names it, `<origin>` included."""


FetchItem = Item | BodyItem


@dataclass(frozen=True, slots=True)
class Fetch:
    """`uid`: `messages` are UIDs, and UID is among the items (RFC 9051 §6.4.9)."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False

    @property
    def sets_seen(self) -> bool:
        """Whether \\Seen is set on what is fetched (RFC 9051 §6.4.5 BODY[])."""
        return any(isinstance(item, BodyItem) and not item.peek for item in self.items)


_FAST = (Item.FLAGS, Item.INTERNALDATE, Item.RFC822_SIZE)
_MACROS: dict[str, tuple[FetchItem, ...]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, Item.ENVELOPE),
    "FULL": (*_FAST, Item.ENVELOPE, Item.BODY),
}
_RFC822: dict[str, BodyItem] = {
    "RFC822": BodyItem(Section((), None, ()), peek=False, label=b"RFC822"),
    "RFC822.HEADER": BodyItem(Section((), "HEADER", ()), peek=True, label=b"RFC822.HEADER"),
    "RFC822.TEXT": BodyItem(Section((), "TEXT", ()), peek=False, label=b"RFC822.TEXT"),
}
_SECTION_NAMES = frozenset({"BODY", "BODY.PEEK"})
_ITEMS: dict[str, FetchItem] = {item.value: item for item in Item} | _RFC822


def parse(lexer: Lexer) -> Fetch:
    """fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" ... ")")."""
    messages, items = _parse(lexer)
    return Fetch(messages, items)


def parse_uid(lexer: Lexer) -> Fetch:
    """uid = "UID" SP fetch."""
    messages, items = _parse(lexer)
    return Fetch(messages, items if Item.UID in items else (Item.UID, *items), uid=True)


def _parse(lexer: Lexer) -> tuple[SequenceSet, tuple[FetchItem, ...]]:
    lexer.space()
    messages = lexer.sequence_set()
    lexer.space()
    items: tuple[FetchItem, ...]
    if lexer.at(b"("):
        items = tuple(lexer.parenthesised(lambda: _item(lexer, lexer.label()), _MAX_ITEMS))
    else:
        name = lexer.label()
        items = _MACROS[name] if name in _MACROS else (_item(lexer, name),)
    lexer.end()
    return messages, tuple(dict.fromkeys(items))


def _item(lexer: Lexer, name: str) -> FetchItem:
    if name in _SECTION_NAMES and lexer.at(b"["):
        return _body_item(lexer, peek=name == "BODY.PEEK")
    item = _ITEMS.get(name)
    if item is None:
        raise SyntaxProblem(f"unknown FETCH item {name[:40]}")
    return item


def _body_item(lexer: Lexer, *, peek: bool) -> BodyItem:
    section = parse_section(lexer)
    label = b"BODY" + render_section(section)
    partial = None
    if lexer.take(b"<"):
        # partial = "<" number64 "." nz-number64 ">"
        first = lexer.number()
        lexer.expect(b".")
        partial = (first, lexer.nz_number())
        lexer.expect(b">")
        label += b"<%d>" % first
    return BodyItem(section, peek, partial, label)
