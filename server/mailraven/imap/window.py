"""A part of a list of results, counted from its beginning or from its end (RFC 9394 PARTIAL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Places `first` to `last`, from 1 on; negative: from the end, -1 is the last."""

    first: int
    last: int

    def of(self, found: Sequence[T]) -> Sequence[T]:
        """Those of an ascending list, ascending, too."""
        if self.first > 0:
            low, high = sorted((self.first, self.last))
            return found[low - 1 : high]
        low, high = sorted((-self.first, -self.last))
        return found[max(len(found) - high, 0) : max(len(found) - low + 1, 0)]

    def render(self) -> str:
        """As it was written."""
        return f"{self.first}:{self.last}"


def parse_window(lexer: Lexer) -> Window:
    """partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number."""
    first = _place(lexer)
    lexer.expect(b":")
    last = _place(lexer)
    if (first < 0) != (last < 0):
        raise SyntaxProblem("both ends of a partial range count from the same side")
    return Window(first, last)


def _place(lexer: Lexer) -> int:
    return -lexer.nz_number() if lexer.take(b"-") else lexer.nz_number()
