"""The process's shared copy of a mailbox: UID, flags and MODSEQ in arrays, for all of its sessions.

A session holds a Snapshot: the array of UIDs it has announced and how many of them. Appending keeps the array object,
an expunge replaces it, so a session that has not yet been allowed to hear of the expunge keeps its own numbering.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

_LOG_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one session has announced: the first `count` of `uids`, and changes up to `modseq`."""

    uids: array[int]
    count: int
    modseq: int
    generation: int = 0
    """Counts the expunges that the array has behind it."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a session has to say to get from its snapshot to `snapshot`, in this order.

    expunged: sequence numbers, descending, each valid at its moment; exists: the new count or None;
    changed: UIDs of still present, announced messages whose flags or MODSEQ changed.
    """

    expunged: list[int]
    exists: int | None
    changed: list[int]
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class _Change:
    modseq: int
    changed: Sequence[int]


class MailboxView:
    """Arrays of one mailbox. Not a copy in time: always as new as the last refresh. Use through Mailstore.view."""

    __slots__ = (
        "_expunges",
        "_flags",
        "_floor",
        "_generation",
        "_log",
        "_modseqs",
        "_uids",
        "_waiters",
        "account",
        "gone",
        "highest_modseq",
        "keywords",
        "mailbox",
        "uidnext",
        "uidvalidity",
        "users",
    )

    def __init__(self, account: int, mailbox: int, uidvalidity: int) -> None:
        self.account = account
        self.mailbox = mailbox
        self.uidvalidity = uidvalidity
        self.uidnext = 1
        self.highest_modseq = 0
        self.keywords: list[str] = []
        self.gone = False
        """The mailbox was deleted."""
        self.users = 0
        self._uids = array("I")
        self._flags = array("q")
        self._modseqs = array("q")
        self._generation = 0
        self._expunges: deque[tuple[int, ...]] = deque(maxlen=_LOG_LENGTH)  # of the newest generations
        self._log: list[_Change] = []
        self._floor = 0  # the log is complete above this MODSEQ
        self._waiters: list[Callable[[], None]] = []

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._uids)

    def __contains__(self, uid: int) -> bool:
        index = bisect_left(self._uids, uid)
        return index < len(self._uids) and self._uids[index] == uid

    def snapshot(self) -> Snapshot:
        """All there is now."""
        return Snapshot(self._uids, len(self._uids), self.highest_modseq, self._generation)

    def flags(self, uid: int) -> int:
        """The flag mask of a UID. KeyError if it is gone."""
        return self._flags[self._index(uid)]

    def modseq(self, uid: int) -> int:
        """The MODSEQ of a UID. KeyError if it is gone."""
        return self._modseqs[self._index(uid)]

    def rows(self, uids: Iterable[int]) -> Iterator[tuple[int, int, int]]:
        """(uid, flags, modseq) of those of the UIDs that are still there."""
        known, flags, modseqs, total = self._uids, self._flags, self._modseqs, len(self._uids)
        index = -1
        for uid in uids:
            index += 1  # neighbours are the rule: try the next one before searching
            if index >= total or known[index] != uid:
                index = bisect_left(known, uid)
                if index >= total or known[index] != uid:
                    continue
            yield uid, flags[index], modseqs[index]

    def uids_with(self, mask: int, *, present: bool = True) -> list[int]:
        """Ascending UIDs of the messages that have (or lack) any of the flags in the mask."""
        if present:
            return [uid for uid, flags in zip(self._uids, self._flags, strict=True) if flags & mask]
        return [uid for uid, flags in zip(self._uids, self._flags, strict=True) if not flags & mask]

    def since(self, snapshot: Snapshot, *, expunge: bool = True) -> Delta:
        """What happened since a snapshot; with `expunge=False` expunges, and with them arrivals, are held back."""
        if snapshot.modseq == self.highest_modseq and snapshot.uids is self._uids:
            return Delta([], None, [], snapshot)
        removed = [] if snapshot.uids is self._uids else self._removed(snapshot)
        changed = self._changed(snapshot)
        if removed and not expunge:
            # Its own numbering goes on; what arrived waits for it, as numbers must ascend without holes.
            return Delta([], None, changed, replace(snapshot, modseq=self.highest_modseq))
        numbers = [bisect_left(snapshot.uids, uid, 0, snapshot.count) + 1 for uid in reversed(removed)]
        new = self.snapshot()
        exists = new.count if new.count != snapshot.count - len(removed) else None
        return Delta(numbers, exists, changed, new)

    def add_waiter(self, callback: Callable[[], None]) -> None:
        """Call back (in the event loop) whenever the view has changed."""
        self._waiters.append(callback)

    def remove_waiter(self, callback: Callable[[], None]) -> None:
        """Stop calling back."""
        if callback in self._waiters:
            self._waiters.remove(callback)

    @property
    def watched(self) -> bool:
        """Whether a session waits for changes."""
        return bool(self._waiters)

    # -- changing: Mailstore only ------------------------------------------------------------------------------

    def load(self, uids: array[int], flags: array[int], modseqs: array[int], modseq: int) -> None:
        """Replace everything."""
        self._uids, self._flags, self._modseqs = uids, flags, modseqs
        self.highest_modseq = modseq
        self._generation += 1
        self._expunges.clear()
        self._log.clear()
        self._floor = modseq

    def append(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """New messages (uid, flags, modseq) above all known UIDs; others are ignored."""
        last = self._uids[-1] if self._uids else 0
        for uid, flags, modseq in rows:
            if uid > last:
                self._uids.append(uid)
                self._flags.append(flags)
                self._modseqs.append(modseq)
                last = uid

    def change(self, modseq: int, rows: Iterable[tuple[int, int, int]]) -> None:
        """Flags that changed, as (uid, flags, modseq)."""
        changed = []
        for uid, flags, own in rows:
            index = bisect_left(self._uids, uid)
            if index < len(self._uids) and self._uids[index] == uid and own >= self._modseqs[index]:
                self._flags[index] = flags
                self._modseqs[index] = own
                changed.append(uid)
        self._record(_Change(modseq, changed))

    def expunge(self, modseq: int, uids: Iterable[int]) -> None:
        """Messages that are gone."""
        gone = {uid for uid in uids if uid in self}
        if not gone:
            return
        keep = [index for index, uid in enumerate(self._uids) if uid not in gone]
        self._generation += 1
        self._expunges.append(tuple(sorted(gone)))
        self._uids = array("I", [self._uids[index] for index in keep])  # a new object: sessions keep the old one
        self._flags = array("q", [self._flags[index] for index in keep])
        self._modseqs = array("q", [self._modseqs[index] for index in keep])
        self._record(_Change(modseq, ()))

    def learn(self, keywords: Sequence[str]) -> None:
        """The mailbox's keywords as some statement saw them: they only grow, so a shorter list is an older one."""
        if len(keywords) > len(self.keywords):
            self.keywords[:] = keywords

    def reach(self, modseq: int) -> None:
        """Everything up to this MODSEQ has been applied: tell the waiters."""
        if modseq > self.highest_modseq:
            self.highest_modseq = modseq
        for callback in list(self._waiters):
            callback()

    # -- inside ------------------------------------------------------------------------------------------------

    def _index(self, uid: int) -> int:
        index = bisect_left(self._uids, uid)
        if index < len(self._uids) and self._uids[index] == uid:
            return index
        raise KeyError(uid)

    def _record(self, change: _Change) -> None:
        self._log.append(change)
        if len(self._log) > _LOG_LENGTH:
            cut = len(self._log) // 2
            self._floor = max(self._floor, *(entry.modseq for entry in self._log[:cut]))
            del self._log[:cut]

    def _removed(self, snapshot: Snapshot) -> list[int]:
        missed = self._generation - snapshot.generation
        if missed <= len(self._expunges):
            recent = islice(self._expunges, len(self._expunges) - missed, None)
            last = snapshot.uids[snapshot.count - 1] if snapshot.count else 0
            return sorted(uid for gone in recent for uid in gone if uid <= last)
        known = set(self._uids)
        return [uid for uid in snapshot.uids[: snapshot.count] if uid not in known]

    def _changed(self, snapshot: Snapshot) -> list[int]:
        if snapshot.modseq >= self.highest_modseq:
            return []
        last = snapshot.uids[snapshot.count - 1] if snapshot.count else 0
        if snapshot.modseq >= self._floor:
            found: set[int] = set()
            for change in reversed(self._log):
                if change.modseq <= snapshot.modseq:
                    break
                found.update(change.changed)
            return sorted(uid for uid in found if uid <= last and uid in self)
        top = bisect_right(self._uids, last)
        return [self._uids[i] for i in range(top) if self._modseqs[i] > snapshot.modseq]
