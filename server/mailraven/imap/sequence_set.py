"""Sets of sequence numbers or UIDs (RFC 9051 §9 sequence-set): parse, resolve, intersect, render."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailraven.imap.errors import SyntaxProblem

STAR = 0
"""Stands for `*` in a range; nz-number leaves 0 free."""
MAX_NUMBER = 4_294_967_295

# seq-number   = nz-number / "*"
# seq-range    = seq-number ":" seq-number
# sequence-set = (seq-number / seq-range) ["," sequence-set]  =/ "$"
_RANGE = re.compile(rb"([1-9][0-9]{0,9}|\*)(?::([1-9][0-9]{0,9}|\*))?\Z")

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as written; STAR (0) is `*`. `saved` is `$`, the result of the last SEARCH (RFC 5182)."""

    ranges: Ranges = ()
    saved: bool = False

    @classmethod
    def parse(cls, text: bytes) -> SequenceSet:
        """Raise SyntaxProblem for anything that is no set, or for numbers over 32 bits."""
        if text == b"$":
            return cls(saved=True)
        ranges: list[tuple[int, int]] = []
        for part in text.split(b","):
            match = _RANGE.match(part)
            if match is None:
                raise SyntaxProblem("invalid sequence set")
            first, second = match.groups()
            low = _number(first)
            ranges.append((low, low if second is None else _number(second)))
        return cls(tuple(ranges))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> SequenceSet:
        """The set of these ascending numbers, in as few ranges as can be."""
        return cls(tuple(_runs(numbers)))

    def render(self) -> str:
        """As on the wire: `1:5,7,9:*`."""
        if self.saved:
            return "$"
        return ",".join(_seq_range(low, high) for low, high in self.ranges)

    def resolve(self, largest: int) -> Ranges:
        """Ascending ranges that do not touch, with `*` as `largest` (0: the mailbox is empty, `*` is nothing).

        A range may be written either way round, so `9:*` always holds the last message.  # RFC 9051 §9 seq-range
        """
        swapped: list[tuple[int, int]] = []
        for first, second in self.ranges:
            first, second = first or largest, second or largest
            if first and second:
                swapped.append((first, second) if first <= second else (second, first))
        swapped.sort()
        merged: list[tuple[int, int]] = []
        for low, high in swapped:
            if merged and low <= merged[-1][1] + 1:
                if high > merged[-1][1]:
                    merged[-1] = (merged[-1][0], high)
            else:
                merged.append((low, high))
        return tuple(merged)

    def numbers(self, count: int) -> list[int]:
        """Sequence numbers 1..count that are in the set, ascending."""
        found: list[int] = []
        for low, high in self.resolve(count):
            found.extend(range(low, min(high, count) + 1))
        return found

    def exceeds(self, count: int) -> bool:
        """Whether a sequence number is named that does not exist in a mailbox of `count` messages."""
        return any(number > count for pair in self.ranges for number in pair)

    def uids(self, uids: Sequence[int], count: int | None = None) -> list[int]:
        """Those of the ascending `uids` (of its first `count`) that are in the set, ascending."""
        found: list[int] = []
        for start, stop in self.slices(uids, count):
            found.extend(uids[start:stop])
        return found

    def slices(self, uids: Sequence[int], count: int | None = None) -> list[tuple[int, int]]:
        """The same as half-open index ranges into `uids`: O(ranges * log n)."""
        end = len(uids) if count is None else min(count, len(uids))
        if not end:
            return []
        found: list[tuple[int, int]] = []
        start = 0
        for low, high in self.resolve(uids[end - 1]):
            start = bisect_left(uids, low, start, end)
            stop = bisect_right(uids, high, start, end)
            if start < stop:
                found.append((start, stop))
            start = stop
        return found


def compact(numbers: Iterable[int]) -> str:
    """Wire form of ascending numbers: `1:5,7`."""
    return ",".join(_seq_range(low, high) for low, high in _runs(numbers))


def _number(text: bytes) -> int:
    if text == b"*":
        return STAR
    number = int(text)
    if number > MAX_NUMBER:  # RFC 9051 §9: nz-number is 0 < n <= 4,294,967,295
        raise SyntaxProblem("a number is larger than 4294967295")
    return number


def _seq_range(low: int, high: int) -> str:
    first, second = str(low or "*"), str(high or "*")
    return first if low == high else f"{first}:{second}"


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    low = high = 0
    for number in numbers:
        if number == high + 1 and high:
            high = number
            continue
        if high:
            runs.append((low, high))
        low = high = number
    if high:
        runs.append((low, high))
    return runs
