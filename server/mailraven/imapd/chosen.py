"""The messages that a sequence set names in this session (RFC 9051 §9 sequence-set)."""

from __future__ import annotations

from collections.abc import Set
from copy import copy
from itertools import chain
from typing import Self

from mailraven.imap import SequenceSet
from mailraven.imap.sequence_set import STAR
from mailraven.imapd.outcome import CommandRefused, bad
from mailraven.imapd.state import Selected


class Chosen:
    """Slices of the session's UIDs: sequence numbers and UIDs side by side, ascending."""

    __slots__ = ("_slices", "_uids")

    def __init__(self, selected: Selected, messages: SequenceSet, *, uid: bool) -> None:
        snapshot = selected.snapshot
        self._uids = snapshot.uids
        if messages.saved:  # RFC 5182 §2.1: nothing was saved, nothing is chosen
            messages, uid = SequenceSet.of(selected.saved), True
        if uid:
            self._slices = messages.slices(snapshot.uids, snapshot.count)
            return
        if _beyond(messages, snapshot.count):
            raise CommandRefused(bad(f"There are {snapshot.count} messages only"))
        self._slices = [(low - 1, min(high, snapshot.count)) for low, high in messages.resolve(snapshot.count)]

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self._slices)

    def only(self, uids: Set[int]) -> Self:
        """Those among these UIDs."""
        chosen = copy(self)
        chosen._slices = [
            (index, index + 1)
            for start, stop in self._slices
            for index in range(start, stop)
            if self._uids[index] in uids
        ]
        return chosen

    def uids(self) -> list[int]:
        """UIDs, ascending."""
        return list(chain.from_iterable(self._uids[start:stop] for start, stop in self._slices))

    def numbers(self) -> list[int]:
        """Sequence numbers, ascending."""
        return list(chain.from_iterable(range(start + 1, stop + 1) for start, stop in self._slices))

    def uid_ranges(self) -> tuple[tuple[int, int], ...]:
        """(first, last) UID of each run of neighbours."""
        return tuple((self._uids[start], self._uids[stop - 1]) for start, stop in self._slices)


def _beyond(messages: SequenceSet, count: int) -> bool:
    """Whether a number is named that no message has. A range with `*` reaches the last message from anywhere."""
    return any((low > count or high > count) and STAR not in (low, high) for low, high in messages.ranges)
