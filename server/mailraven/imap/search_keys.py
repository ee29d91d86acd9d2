"""Search keys as values (RFC 9051 §6.4.4, RFC 5032 WITHIN, RFC 7162 MODSEQ, RFC 8474 EMAILID) and their parser.

Shorthands are gone after parsing: NEW is RECENT UNSEEN, FROM is HEADER From, and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mailraven.imap import flags
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import MAX_NUMBER64, Lexer
from mailraven.imap.limits import MAX_SEARCH_KEYS
from mailraven.imap.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the keys, of which there is one at least."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the keys, of which there are two at least: a chain of ORs is one Or."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not the key."""

    key: Key


@dataclass(frozen=True, slots=True)
class Sequence:
    """Sequence numbers."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class Uids:
    """UIDs."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class Flag:
    """A system flag (`\\Seen`) or a keyword."""

    name: str
    present: bool


@dataclass(frozen=True, slots=True)
class Recent:
    """\\Recent in this session."""

    present: bool


@dataclass(frozen=True, slots=True)
class Header:
    """A field holds the text; an empty text asks for the field only."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Header or body holds the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """The body holds the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Date:
    """INTERNALDATE, the Date field or SAVEDATE (RFC 8514), without time and zone."""

    which: Literal["internal", "sent", "saved"]
    op: Literal["before", "on", "since"]
    day: date


@dataclass(frozen=True, slots=True)
class Size:
    """RFC822.SIZE beyond or below a number of octets."""

    op: Literal["larger", "smaller"]
    octets: int


@dataclass(frozen=True, slots=True)
class Within:
    """INTERNALDATE more or less than so many seconds ago."""

    op: Literal["older", "younger"]
    seconds: int


@dataclass(frozen=True, slots=True)
class ModSeq:
    """MODSEQ at least this."""

    value: int


@dataclass(frozen=True, slots=True)
class EmailId:
    """The object id as the server named it."""

    id: str


Key = (
    All
    | And
    | Or
    | Not
    | Sequence
    | Uids
    | Flag
    | Recent
    | Header
    | Text
    | Body
    | Date
    | Size
    | Within
    | ModSeq
    | EmailId
)


def mentions(key: Key, kind: type[Key]) -> bool:
    """Whether a key of this kind is somewhere in it."""
    if isinstance(key, And | Or):
        return any(mentions(one, kind) for one in key.keys)
    return mentions(key.key, kind) if isinstance(key, Not) else isinstance(key, kind)


_PLAIN: dict[str, Key] = {
    "ALL": All(),
    "SAVEDATESUPPORTED": All(),  # RFC 8514 §4.3: by every mailbox
    "RECENT": Recent(present=True),
    "OLD": Recent(present=False),
    "NEW": And((Recent(present=True), Flag("\\Seen", present=False))),
}
for _name in flags.SYSTEM_FLAGS:
    _PLAIN[_name[1:].upper()] = Flag(_name, present=True)
    _PLAIN["UN" + _name[1:].upper()] = Flag(_name, present=False)
_HEADER = {"BCC": "Bcc", "CC": "Cc", "FROM": "From", "SUBJECT": "Subject", "TO": "To"}


class KeyParser:
    """Parses search keys of one command. Nesting and number of keys are limited; ORs and NOTs do not recurse."""

    def __init__(self, lexer: Lexer, codec: str) -> None:
        self._lexer = lexer
        self._codec = codec
        self.limit = MAX_SEARCH_KEYS
        self._count = 0

    def key(self) -> Key:
        """One key: a pair of parentheses, a NOT, an OR, or one of the table below."""
        lexer = self._lexer
        self._count += 1
        if self._count > self.limit:
            raise SyntaxProblem(f"more than {self.limit} search keys")
        if lexer.at(b"("):
            keys = lexer.parenthesised(self.key, self.limit)
            return keys[0] if len(keys) == 1 else And(tuple(keys))
        if lexer.at_digit() or lexer.at(b"*") or lexer.at(b"$"):
            return Sequence(lexer.sequence_set())
        word = lexer.word()
        if word == "NOT":
            return self._not()
        if word == "OR":
            return self._or()
        plain = _PLAIN.get(word)
        if plain is not None:
            return plain
        parse = _WITH_ARGUMENT.get(word)
        if parse is None:
            raise SyntaxProblem(f"unknown search key {word[:40]}")
        lexer.space()
        return parse(self, word)

    def text(self) -> str:
        """An astring in the command's charset."""
        octets = self._lexer.astring()
        try:
            return octets.decode(self._codec)
        except UnicodeDecodeError:
            raise SyntaxProblem(f"a search string is not {self._codec}") from None

    def _not(self) -> Key:
        # search-key = "NOT" SP search-key; NOT NOT cancels out
        present = False
        self._lexer.space()
        while self._lexer.take_word("NOT"):
            self._count_one()
            self._lexer.space()
            present = not present
        self._lexer.enter()
        key = self.key()
        self._lexer.leave()
        return key if present else Not(key)

    def _or(self) -> Key:
        """search-key = "OR" SP search-key SP search-key.

        An operand that is an OR itself adds its two operands to ours, whether it stands left or right: clients
        send chains of hundreds.
        """
        lexer = self._lexer
        operands: list[Key] = []
        missing = 2
        lexer.enter()
        while missing:
            lexer.space()
            if lexer.take_word("OR"):
                self._count_one()
                missing += 1
            else:
                operands.append(self.key())
                missing -= 1
        lexer.leave()
        return Or(tuple(operands))

    def _count_one(self) -> None:
        self._count += 1
        if self._count > self.limit:
            raise SyntaxProblem(f"more than {self.limit} search keys")

    # --- keys with an argument; the space before it is read already ------------

    def header_shorthand(self, word: str) -> Key:
        """BCC, CC, FROM, SUBJECT, TO."""
        return Header(_HEADER[word], self.text())

    def header(self, _: str) -> Key:
        """HEADER field-name string."""
        name = self._lexer.astring().decode("ascii", "replace")
        # RFC 5322 §2.2: a field name is printable US-ASCII; another one is in no message, and no error either
        self._lexer.space()
        return Header(name, self.text())

    def content(self, word: str) -> Key:
        """BODY, TEXT."""
        return Body(self.text()) if word == "BODY" else Text(self.text())

    def date(self, word: str) -> Key:
        """BEFORE, ON, SINCE, SENTBEFORE, SENTON, SENTSINCE, SAVEDBEFORE, SAVEDON, SAVEDSINCE."""
        op = word.removeprefix("SENT").removeprefix("SAVED")
        day = self._lexer.date()
        which: Literal["internal", "sent", "saved"] = "internal"
        if op != word:
            which = "sent" if word.startswith("SENT") else "saved"
        if op == "BEFORE":
            return Date(which, "before", day)
        return Date(which, "on" if op == "ON" else "since", day)

    def size(self, word: str) -> Key:
        """LARGER, SMALLER: number64 in RFC 9051."""
        octets = self._lexer.number(MAX_NUMBER64)
        return Size("larger" if word == "LARGER" else "smaller", octets)

    def keyword(self, word: str) -> Key:
        """KEYWORD, UNKEYWORD."""
        return Flag(flags.keyword(self._lexer.atom().encode("ascii")), present=word == "KEYWORD")

    def uid(self, _: str) -> Key:
        """UID sequence-set."""
        return Uids(self._lexer.sequence_set())

    def within(self, word: str) -> Key:
        """OLDER, YOUNGER: nz-number of seconds."""
        seconds = self._lexer.nz_number()
        return Within("older" if word == "OLDER" else "younger", seconds)

    def modseq(self, _: str) -> Key:
        """MODSEQ [entry-name SP entry-type-req SP] mod-sequence-valzer; the entry makes no difference here."""
        lexer = self._lexer
        if lexer.at(b'"'):
            if not lexer.quoted().lower().startswith(b"/flags/"):
                raise SyntaxProblem("expected a metadata entry of a flag")
            lexer.space()
            lexer.choice(frozenset({"PRIV", "SHARED", "ALL"}), "entry type")
            lexer.space()
        return ModSeq(lexer.number(MAX_NUMBER64))

    def object_id(self, word: str) -> Key:
        """EMAILID objectid, THREADID objectid: there are no threads (RFC 8474 §5.2)."""
        id = self._lexer.atom()
        return EmailId(id) if word == "EMAILID" else Not(All())


_WITH_ARGUMENT: dict[str, Callable[[KeyParser, str], Key]] = {
    **dict.fromkeys(_HEADER, KeyParser.header_shorthand),
    "HEADER": KeyParser.header,
    **dict.fromkeys(("BODY", "TEXT"), KeyParser.content),
    **dict.fromkeys(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"), KeyParser.date),
    **dict.fromkeys(("SAVEDBEFORE", "SAVEDON", "SAVEDSINCE"), KeyParser.date),
    **dict.fromkeys(("LARGER", "SMALLER"), KeyParser.size),
    **dict.fromkeys(("KEYWORD", "UNKEYWORD"), KeyParser.keyword),
    "UID": KeyParser.uid,
    **dict.fromkeys(("OLDER", "YOUNGER"), KeyParser.within),
    "MODSEQ": KeyParser.modseq,
    "EMAILID": KeyParser.object_id,
    "THREADID": KeyParser.object_id,
}
