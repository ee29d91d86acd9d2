"""Typed reading of a complete command's arguments (RFC 9051 §9): atom, quoted, literal and NIL never mix."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from mailraven.imap import abnf, datetimes
from mailraven.imap.abnf import char_class
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.limits import MAX_MAILBOX_NAME, MAX_NESTING
from mailraven.imap.mailbox_name import decode_mailbox, decode_pattern
from mailraven.imap.sequence_set import SequenceSet

# atom = 1*ATOM-CHAR
_ATOM = re.compile(char_class(abnf.ATOM_CHAR) + b"+")
# astring = 1*ASTRING-CHAR / string
_ASTRING = re.compile(char_class(abnf.ASTRING_CHAR) + b"+")
# list-mailbox = 1*list-char / string
_LIST_MAILBOX = re.compile(char_class(abnf.LIST_CHAR) + b"+")
# quoted = DQUOTE *QUOTED-CHAR DQUOTE; UTF-8 is checked after. Possessive, so that no backtracking is ever tried.
_QUOTED = re.compile(rb'"((?:' + char_class(abnf.QUOTED_PLAIN + bytes(range(0x80, 0x100))) + rb'++|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
# number = 1*DIGIT ; nz-number = digit-nz *DIGIT
_NUMBER = re.compile(rb"[0-9]+")
# sequence-set: every octet that can be in one; its grammar is SequenceSet's
_SEQUENCE_SET = re.compile(rb"[0-9*:,$]+")
# What the names of FETCH items and sections are made of: never "[" or "<"
_LABEL = re.compile(rb"[A-Za-z0-9.]+")
# flag = "\" atom / atom
_FLAG = re.compile(rb"\\?" + char_class(abnf.ATOM_CHAR) + b"+")

MAX_NUMBER = 4_294_967_295
MAX_NUMBER64 = 9_223_372_036_854_775_807

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Literal:
    """The octets of a literal; `binary`: literal8, which alone may hold NUL."""

    octets: bytes
    binary: bool = False


class Lexer:
    """Reads one command: text fragments with a literal between each two (one more line than literals)."""

    __slots__ = ("_depth", "_line", "_lines", "_literals", "_next", "_position", "_utf8")

    def __init__(self, lines: Sequence[bytes], literals: Sequence[Literal] = (), *, utf8: bool = False) -> None:
        if len(lines) != len(literals) + 1:
            raise ValueError("a literal stands between two fragments of the line")
        self._lines = lines
        self._literals = literals
        self._line = lines[0]
        self._next = 0
        self._position = 0
        self._depth = 0
        self._utf8 = utf8

    # --- where we are -------------------------------------------------

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._position == len(self._line) and self._next == len(self._literals)

    def at_literal(self) -> bool:
        """Whether the next token is a literal."""
        return self._position == len(self._line) and self._next < len(self._literals)

    def at(self, octet: bytes) -> bool:
        """Whether this octet is next."""
        return self._line.startswith(octet, self._position)

    def at_digit(self) -> bool:
        """Whether a digit is next."""
        return self._line[self._position : self._position + 1].isdigit()

    def end(self) -> None:
        """Every grammar ends here: nothing may be left."""
        if not self.at_end():
            raise SyntaxProblem("unexpected text after the command's arguments")

    # --- single octets and lists ---------------------------------------

    def take(self, octets: bytes) -> bool:
        """Step over `octets` if they are next."""
        if self._line.startswith(octets, self._position):
            self._position += len(octets)
            return True
        return False

    def expect(self, octets: bytes) -> None:
        """Step over `octets`, which must be next."""
        if not self.take(octets):
            raise SyntaxProblem(f"expected {octets.decode('ascii')!r}")

    def space(self) -> None:
        """Exactly one SP."""
        if not self.take(b" "):
            raise SyntaxProblem("expected a space and an argument" if self.at_end() else "expected a space")

    def enter(self) -> None:
        """Count one level of nesting; `leave` ends it."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise SyntaxProblem(f"nested deeper than {MAX_NESTING} levels")

    def leave(self) -> None:
        """End the level that `enter` began."""
        self._depth -= 1

    def many(self, parse_one: Callable[[], T], limit: int) -> list[T]:
        """One or more, with SP between them."""
        found = [parse_one()]
        while self.take(b" "):
            if len(found) >= limit:
                raise SyntaxProblem(f"more than {limit} elements in a list")
            found.append(parse_one())
        return found

    def parenthesised(self, parse_one: Callable[[], T], limit: int, *, empty: bool = False) -> list[T]:
        """`(` one or more with SP between `)`; with `empty` also `()`."""
        self.expect(b"(")
        self.enter()
        found = [] if empty and self.at(b")") else self.many(parse_one, limit)
        if not self.take(b")"):
            raise SyntaxProblem("expected a space or ')'")
        self.leave()
        return found

    # --- words ----------------------------------------------------------

    def atom(self) -> str:
        """An atom as written."""
        return self._match(_ATOM, "expected an atom").decode("ascii")

    def word(self) -> str:
        """An atom in capitals: a keyword of the grammar."""
        return self.atom().upper()

    def take_word(self, word: str) -> bool:
        """Step over this atom, in any case, if it is next."""
        match = _ATOM.match(self._line, self._position)
        if match is None or match[0].upper() != word.encode("ascii"):
            return False
        self._position = match.end()
        return True

    def label(self) -> str:
        """Letters, digits and dots, in capitals: the name of a FETCH item or a section."""
        return self._match(_LABEL, "expected the name of an item").decode("ascii").upper()

    def rest(self) -> bytes:
        """The rest of the line as it is."""
        text = self._line[self._position :]
        self._position = len(self._line)
        return text

    def choice(self, words: frozenset[str], what: str) -> str:
        """One of `words`, in any case."""
        word = self.word()
        if word not in words:
            raise SyntaxProblem(f"unknown {what} {word[:40]}")
        return word

    def flag(self) -> bytes:
        """A flag or keyword as written; flags.flags_of makes sense of it."""
        return self._match(_FLAG, "expected a flag")

    # --- strings ----------------------------------------------------------

    def quoted(self) -> bytes:
        """A quoted string, unescaped. Octets over 127 must be UTF-8 (RFC 9051 §4.3)."""
        match = _QUOTED.match(self._line, self._position)
        if match is None:
            raise SyntaxProblem("a quoted string does not end, or holds a wrong escape or character")
        self._position = match.end()
        text: bytes = match[1]
        if not text.isascii():
            _require_utf8(text)
        return _ESCAPED.sub(rb"\1", text) if b"\\" in text else text

    def literal(self) -> Literal:
        """A literal, also literal8. A plain one holds no NUL (RFC 9051 §9 CHAR8)."""
        if not self.at_literal():
            raise SyntaxProblem("expected a literal")
        literal = self._literals[self._next]
        self._next += 1
        self._line = self._lines[self._next]
        self._position = 0
        if not literal.binary and b"\0" in literal.octets:
            raise SyntaxProblem("NUL in a literal; only a literal8 (~{n}) may hold it")
        return literal

    def string(self) -> bytes:
        """quoted / literal."""
        if self.at(b'"'):
            return self.quoted()
        literal = self.literal() if self.at_literal() else None
        if literal is None or literal.binary:
            raise SyntaxProblem("expected a string")
        return literal.octets

    def astring(self) -> bytes:
        """Atom or string."""
        if self.at(b'"') or self.at_literal():
            return self.string()
        return self._match(_ASTRING, "expected an atom or a string")

    def nstring(self) -> bytes | None:
        """String, or None for the bare word NIL."""
        if self.at(b'"') or self.at_literal():
            return self.string()
        if self._line[self._position : self._position + 3].upper() != b"NIL":
            raise SyntaxProblem("expected a string or NIL")
        self._position += 3
        return None

    # --- numbers ------------------------------------------------------------

    def number(self, maximum: int = MAX_NUMBER) -> int:
        """1*DIGIT up to 32 bits: one beyond is a syntax error (RFC 9051 §9 number)."""
        digits = self._match(_NUMBER, "expected a number").lstrip(b"0")
        if len(digits) > 19 or int(digits or b"0") > maximum:
            raise SyntaxProblem(f"a number is larger than {maximum}")
        return int(digits or b"0")

    def nz_number(self, maximum: int = MAX_NUMBER) -> int:
        """A number that does not begin with 0."""
        if self.at(b"0"):
            raise SyntaxProblem("expected a number above 0")
        return self.number(maximum)

    def sequence_set(self) -> SequenceSet:
        """sequence-set, `$` included."""
        return SequenceSet.parse(self._match(_SEQUENCE_SET, "expected a sequence set"))

    # --- values of the domain -------------------------------------------------

    def mailbox(self) -> str:
        """A mailbox name, decoded; INBOX in capitals (RFC 9051 §5.1)."""
        return decode_mailbox(self._bounded(self.astring()), utf8=self._utf8)

    def reference(self) -> str:
        """A LIST reference, decoded; it may be empty."""
        return decode_pattern(self._bounded(self.astring()), utf8=self._utf8)

    def list_mailbox(self) -> str:
        """A LIST pattern, decoded."""
        if self.at(b'"') or self.at_literal():
            octets = self.string()
        else:
            octets = self._match(_LIST_MAILBOX, "expected a mailbox pattern")
        return decode_pattern(self._bounded(octets), utf8=self._utf8)

    def date(self) -> date:
        """date = date-text / DQUOTE date-text DQUOTE."""
        text = self.quoted() if self.at(b'"') else self._match(_ATOM, "expected a date like 1-Feb-2024")
        return datetimes.parse_date(text)

    def date_time(self) -> datetime:
        """date-time, always quoted."""
        if not self.at(b'"'):
            raise SyntaxProblem("expected a quoted date and time")
        return datetimes.parse_date_time(self.quoted())

    def _bounded(self, octets: bytes) -> bytes:
        if len(octets) > MAX_MAILBOX_NAME:
            raise SyntaxProblem(f"a mailbox name may have {MAX_MAILBOX_NAME} octets at most")
        return octets

    def _match(self, pattern: re.Pattern[bytes], problem: str) -> bytes:
        match = pattern.match(self._line, self._position)
        if match is None:
            raise SyntaxProblem(problem)
        self._position = match.end()
        return match[0]


def _require_utf8(text: bytes) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxProblem("a quoted string holds octets that are not UTF-8; send a literal") from None
