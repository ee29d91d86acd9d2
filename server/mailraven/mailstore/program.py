"""A search, neutral of any wire format: a tree of keys (RFC 9051 §6.4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the keys."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Either key."""

    a: Key
    b: Key


@dataclass(frozen=True, slots=True)
class Not:
    """Not the key."""

    key: Key


@dataclass(frozen=True, slots=True)
class Sequence:
    """Sequence numbers of the session; ranges ascend within themselves, `*` is already a number."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Uids:
    """UIDs."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Flag:
    """A system flag (`\\Seen`) or a keyword that is set or not."""

    name: str
    present: bool


@dataclass(frozen=True, slots=True)
class Recent:
    """UIDs from `first_uid` on: those that are \\Recent in the session."""

    first_uid: int
    present: bool = True


@dataclass(frozen=True, slots=True)
class Header:
    """A header field holds the text; an empty text asks for the field only."""

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
    """A date without its time and zone."""

    which: Literal["internal", "sent", "saved"]
    op: Literal["before", "on", "since"]
    day: date


@dataclass(frozen=True, slots=True)
class Size:
    """RFC822.SIZE beyond or below a number of octets."""

    op: Literal["larger", "smaller"]
    octets: int


@dataclass(frozen=True, slots=True)
class ModSeq:
    """MODSEQ at least this (RFC 7162 §3.1.5)."""

    value: int


@dataclass(frozen=True, slots=True)
class Within:
    """Arrived more or less than so many seconds ago (RFC 5032)."""

    op: Literal["older", "younger"]
    seconds: int


@dataclass(frozen=True, slots=True)
class EmailId:
    """The object id of the body (RFC 8474)."""

    id: int


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
    | ModSeq
    | Within
    | EmailId
)
