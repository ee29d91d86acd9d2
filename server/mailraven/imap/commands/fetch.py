"""FETCH and UID FETCH (RFC 9051 §6.4.5; RFC822 items and macros of RFC 3501 §6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import MAX_NUMBER64, Lexer
from mailraven.imap.section import parse_section, render_section
from mailraven.imap.sequence_set import SequenceSet
from mailraven.imap.window import Window, parse_window
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
    MODSEQ = "MODSEQ"
    """RFC 7162 §3.1.5."""
    EMAILID = "EMAILID"
    THREADID = "THREADID"
    """RFC 8474 §5.1, §5.2: we keep no threads, it is always NIL."""
    SAVEDATE = "SAVEDATE"
    """RFC 8514."""


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
    """`uid`: `messages` are UIDs, and UID is among the items (RFC 9051 §6.4.9).

    `changed_since`: only messages with a higher MODSEQ (RFC 7162 §3.1.4); `vanished`: and which UIDs are gone since.
    """

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False
    changed_since: int | None = None
    vanished: bool = False
    partial: Window | None = None
    """Only these of the messages (RFC 9394 §3.3)."""

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
    return _parse(lexer, uid=False)


def parse_uid(lexer: Lexer) -> Fetch:
    """uid = "UID" SP fetch."""
    return _parse(lexer, uid=True)


def _parse(lexer: Lexer, *, uid: bool) -> Fetch:
    lexer.space()
    messages = lexer.sequence_set()
    lexer.space()
    items: tuple[FetchItem, ...]
    if lexer.at(b"("):
        items = tuple(lexer.parenthesised(lambda: _item(lexer, lexer.label()), _MAX_ITEMS))
    else:
        name = lexer.label()
        items = _MACROS[name] if name in _MACROS else (_item(lexer, name),)
    modifiers = _modifiers(lexer) if lexer.take(b" ") else _Modifiers()
    lexer.end()
    changed_since, vanished = modifiers.changed_since, modifiers.vanished
    if modifiers.partial is not None and not uid:
        raise SyntaxProblem("PARTIAL belongs to UID FETCH")  # RFC 9394 §3.3
    if vanished and (changed_since is None or not uid):
        raise SyntaxProblem("VANISHED belongs to UID FETCH with CHANGEDSINCE")  # RFC 7162 §3.2.6
    before: tuple[FetchItem, ...] = (Item.UID,) if uid and Item.UID not in items else ()
    after: tuple[FetchItem, ...] = () if changed_since is None else (Item.MODSEQ,)
    return Fetch(
        messages, tuple(dict.fromkeys((*before, *items, *after))), uid, changed_since, vanished, modifiers.partial
    )


@dataclass(slots=True)
class _Modifiers:
    changed_since: int | None = None
    vanished: bool = False
    partial: Window | None = None


def _modifiers(lexer: Lexer) -> _Modifiers:
    """fetch-modifier: CHANGEDSINCE SP mod-sequence-valzer, VANISHED (RFC 7162 §7), PARTIAL (RFC 9394 §4)."""
    found = _Modifiers()

    def one() -> None:
        name = lexer.choice(frozenset({"CHANGEDSINCE", "VANISHED", "PARTIAL"}), "FETCH modifier")
        if name == "VANISHED":
            found.vanished = True
            return
        lexer.space()
        if name == "PARTIAL":
            found.partial = parse_window(lexer)
        else:
            found.changed_since = lexer.number(MAX_NUMBER64)

    lexer.parenthesised(one, 10)
    return found


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
