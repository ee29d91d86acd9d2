"""FETCH and UID FETCH (RFC 9051 §6.4.5). Rows of 500 at a time, bodies of 8 MiB: as fast as the client reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import compress

from mailraven.imap.commands.fetch import Fetch, Item
from mailraven.imap.fetch_data import FetchRenderer
from mailraven.imapd import updates
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.octets import read_octets
from mailraven.imapd.outcome import CommandRefused, Outcome, no, ok
from mailraven.imapd.session import Session
from mailraven.mailstore import Items
from mailraven.mailstore.flags import SEEN
from mailraven.message import body_wire

_ROWS = 500
_PIECE = 256 * 1024


async def run(session: Session, arguments: Fetch) -> Outcome:
    r"""Set \Seen first where that is asked for, so that the responses show it."""
    selected = session.selected
    chosen = Chosen(selected, arguments.messages, uid=arguments.uid)
    newly_seen: dict[int, int] = {}
    if arguments.sets_seen and not selected.read_only:
        unseen = [uid for uid, mask, _ in selected.view.rows(chosen.uids()) if not mask & SEEN]
        if unseen:
            stored = await session.services.mailstore.store(selected.account, selected.mailbox, unseen, "add", SEEN)
            newly_seen = dict.fromkeys(stored.changed, stored.modseq)
            session.report(newly_seen)
    fetching = _Fetching(session, arguments, newly_seen)
    return ok("FETCH completed", untagged=updates.new_keywords(selected), stream=fetching.responses(chosen))


class _Fetching:
    """One FETCH in progress."""

    def __init__(self, session: Session, arguments: Fetch, newly_seen: dict[int, int]) -> None:
        self._selected = session.selected
        self._mailstore = session.services.mailstore
        self._by_uid = arguments.uid
        self._newly_seen = newly_seen
        keywords = self._selected.view.keywords
        self._renderer = FetchRenderer(arguments.items, keywords, body_wire)
        # RFC 9051 §6.4.5: flags that FETCH itself changed are part of its responses.
        with_flags = arguments.items if Item.FLAGS in arguments.items else (Item.FLAGS, *arguments.items)
        self._seen_renderer = FetchRenderer(with_flags, keywords, body_wire) if newly_seen else self._renderer

    async def responses(self, chosen: Chosen) -> AsyncIterator[bytes]:
        """Chunks of whole responses."""
        numbers, uids = chosen.numbers(), chosen.uids()
        complete = True
        for first in range(0, len(uids), _ROWS):
            some = uids[first : first + _ROWS]
            present = list(self._selected.view.rows(some))
            complete = complete and len(present) == len(some)
            rows = _Rows.of(numbers[first : first + _ROWS], some, present)
            if not self._renderer.needs_static and not self._renderer.bodies:
                yield b"".join(self._renderer.rows(rows.numbers, rows.uids, self._masks(rows)))
                await asyncio.sleep(0)  # others have their turn
                continue
            async for statics in self._mailstore.fetch(self._selected.account, self._selected.mailbox, rows.uids):
                if len(statics) != len(rows.uids):
                    complete = False
                    rows = rows.only({item.uid for item in statics})
                if not self._renderer.bodies:
                    yield b"".join(self._renderer.rows(rows.numbers, rows.uids, self._masks(rows), statics))
                else:
                    async for piece in self._with_bodies(rows, statics):
                        yield piece
        if not complete and not self._by_uid:
            # RFC 5530 §3: other sessions have expunged them; this one may not hear it during FETCH.
            raise CommandRefused(no("Some of the messages are gone", "EXPUNGEISSUED"))

    async def _with_bodies(self, rows: _Rows, statics: Sequence[Items]) -> AsyncIterator[bytes]:
        masks = self._masks(rows)
        heads = self._renderer.heads(rows.numbers, rows.uids, masks, statics)
        if self._newly_seen:
            others = self._seen_renderer.heads(rows.numbers, rows.uids, masks, statics)
            changed = [uid in self._newly_seen for uid in rows.uids]
            heads = [other if seen else head for head, other, seen in zip(heads, others, changed, strict=True)]
        sections = [(body.section, body.partial) for body in self._renderer.bodies]
        pieces: list[bytes] = []
        size = index = 0
        async for octets in read_octets(self._mailstore, [item.body for item in statics], sections):
            for piece in self._renderer.response(heads[index], octets):
                pieces.append(piece)
                size += len(piece)
            index += 1
            if size >= _PIECE:
                for part in _portions(pieces):
                    yield part
                pieces, size = [], 0
        yield b"".join(pieces)

    def _masks(self, rows: _Rows) -> list[int]:
        return list(updates.with_recent(self._selected, rows.uids, rows.masks))


class _Rows:
    """Sequence numbers, UIDs and flag masks side by side."""

    __slots__ = ("masks", "numbers", "uids")

    def __init__(self, numbers: list[int], uids: list[int], masks: list[int]) -> None:
        self.numbers = numbers
        self.uids = uids
        self.masks = masks

    @classmethod
    def of(cls, numbers: list[int], uids: list[int], present: list[tuple[int, int, int]]) -> _Rows:
        """From the wanted messages and the view's rows of those that are still there."""
        if len(present) < len(uids):
            there = {row[0] for row in present}
            keep = [uid in there for uid in uids]
            numbers, uids = list(compress(numbers, keep)), list(compress(uids, keep))
        return cls(numbers, uids, [row[1] for row in present])

    def only(self, uids: set[int]) -> _Rows:
        """Those of these UIDs."""
        keep = [uid in uids for uid in self.uids]
        return _Rows(
            list(compress(self.numbers, keep)), list(compress(self.uids, keep)), list(compress(self.masks, keep))
        )


def _portions(pieces: list[bytes]) -> list[bytes]:
    """Joined, but what is large stays in slices, so that the client's reading limits what waits to be sent."""
    portions: list[bytes] = []
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < _PIECE:
            small.append(piece)
            continue
        portions.append(b"".join(small))
        small = []
        portions.extend(piece[start : start + _PIECE] for start in range(0, len(piece), _PIECE))
    portions.append(b"".join(small))
    return portions
