"""The messages that a sequence set names in this session (RFC 9051 §9 sequence-set)."""

from __future__ import annotations

from itertools import chain

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
        if messages.saved:
            raise CommandRefused(bad("There is no saved search result"))
        if uid:
            self._slices = messages.slices(snapshot.uids, snapshot.count)
            return
        if _beyond(messages, snapshot.count):
            raise CommandRefused(bad(f"There are {snapshot.count} messages only"))
        self._slices = [(low - 1, min(high, snapshot.count)) for low, high in messages.resolve(snapshot.count)]

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self._slices)

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
