"""FETCH and UID FETCH (RFC 9051 §6.4.5). Rows of 500 at a time, bodies of some MiB: as fast as the client reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from mailraven.imap import SequenceSet, data
from mailraven.imap.commands.fetch import Fetch, Item
from mailraven.imap.fetch_data import FetchRenderer
from mailraven.imapd import updates
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.octets import read_octets
from mailraven.imapd.outcome import CommandRefused, Outcome, bad, no, ok
from mailraven.imapd.read_ahead import one_ahead
from mailraven.imapd.sequential import read_one
from mailraven.imapd.session import Session
from mailraven.mailstore import Items
from mailraven.mailstore.flags import SEEN
from mailraven.message import body_wire

_ROWS = 1000
_PIECE = 256 * 1024
_PLAIN = 1024 * 1024  # octets of structures rendered in one go


async def run(session: Session, arguments: Fetch) -> Outcome:
    r"""Set \Seen first where that is asked for, so that the responses show it."""
    selected = session.selected
    if arguments.vanished and not session.enabled.qresync:
        return bad("ENABLE QRESYNC comes first")  # RFC 7162 §3.2.6
    if Item.MODSEQ in arguments.items:
        session.enabled.condstore = True  # RFC 7162 §3.1
    chosen = Chosen(selected, arguments.messages, uid=arguments.uid)
    gone = b""
    if arguments.changed_since is not None:
        if arguments.vanished:
            gone = await _vanished(session, arguments.messages, arguments.changed_since)
        chosen = chosen.only(
            {uid for uid, _, own in selected.view.rows(chosen.uids()) if own > arguments.changed_since}
        )
    if arguments.partial is not None:
        chosen = chosen.only(frozenset(arguments.partial.of(chosen.uids())))
    newly_seen: dict[int, int] = {}
    if arguments.sets_seen and not selected.read_only:
        unseen = [uid for uid, mask, _ in selected.view.rows(chosen.uids()) if not mask & SEEN]
        if unseen:
            stored = await session.services.mailstore.store(selected.account, selected.mailbox, unseen, "add", SEEN)
            newly_seen = dict.fromkeys(stored.changed, stored.modseq)
            session.report(newly_seen)
    fetching = _Fetching(session, arguments, newly_seen)
    return ok("FETCH completed", untagged=gone + updates.new_keywords(selected), stream=fetching.responses(chosen))


async def _vanished(session: Session, messages: SequenceSet, since: int) -> bytes:
    """VANISHED (EARLIER) of the UIDs that were asked for (RFC 7162 §3.2.6)."""
    selected = session.selected
    gone = await session.services.mailstore.vanished(selected.account, selected.mailbox, since)
    ranges = messages.resolve(max(selected.view.uidnext - 1, 1))
    asked = SequenceSet(ranges)
    return data.vanished(asked.uids(gone), earlier=True)


class _Rows(NamedTuple):
    """Side by side."""

    numbers: list[int]
    uids: list[int]
    masks: list[int]
    modseqs: list[int]


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
        told = (Item.FLAGS, Item.MODSEQ) if self._selected.enabled.condstore else (Item.FLAGS,)
        with_flags = (*(item for item in told if item not in arguments.items), *arguments.items)
        self._seen_renderer = FetchRenderer(with_flags, keywords, body_wire) if newly_seen else self._renderer

    async def responses(self, chosen: Chosen) -> AsyncGenerator[bytes, None]:
        """Chunks of whole responses."""
        numbers, uids = chosen.numbers(), chosen.uids()
        chunks = self._of_flags if not (self._renderer.needs_static or self._renderer.bodies) else self._of_rows
        sent = 0
        async with aclosing(chunks(numbers, uids)) as parts:
            async for count, part in parts:
                sent += count
                yield part
        if sent < len(uids) and not self._by_uid:
            # RFC 5530 §3: other sessions have expunged them; this one may not hear it during FETCH.
            raise CommandRefused(no("Some of the messages are gone", "EXPUNGEISSUED"))

    async def _of_flags(self, numbers: list[int], uids: list[int]) -> AsyncGenerator[tuple[int, bytes], None]:
        """Flags and UIDs: the view has them."""
        for first in range(0, len(uids), _ROWS):
            rows = self._present(numbers[first : first + _ROWS], uids[first : first + _ROWS])
            yield len(rows.uids), b"".join(self._renderer.rows(*rows))
            await asyncio.sleep(0)  # others have their turn

    async def _of_rows(self, numbers: list[int], uids: list[int]) -> AsyncGenerator[tuple[int, bytes], None]:
        position = 0
        async with aclosing(self._statics(numbers, uids)) as chunks:
            async for statics in chunks:
                found = [item.uid for item in statics]
                last = position + len(found)
                if uids[position:last] == found:
                    rows = self._present(numbers[position:last], found)
                    position = last
                else:  # some are gone
                    position = uids.index(found[-1], position) + 1 if found else position
                    number_of = dict(zip(uids[:position], numbers[:position], strict=True))
                    rows = self._present([number_of[uid] for uid in found], found)
                if len(rows.uids) < len(statics):
                    present = set(rows.uids)
                    statics = [item for item in statics if item.uid in present]
                if not self._renderer.bodies:
                    async for part in self._rendered(rows, statics):
                        yield part
                    continue
                async with aclosing(self._with_bodies(rows, statics)) as pieces:
                    async for piece in pieces:
                        yield 0, piece
                yield len(rows.uids), b""

    async def _rendered(self, rows: _Rows, statics: list[Items]) -> AsyncGenerator[tuple[int, bytes], None]:
        """At once what is ordinary; structures of very many parts one by one, and others have their turn between."""
        if sum(len(item.bodystructure) for item in statics) <= _PLAIN:
            yield len(rows.uids), b"".join(self._renderer.rows(*rows, statics))
            return
        for index, item in enumerate(statics):
            one = _Rows(*(column[index : index + 1] for column in rows))
            yield 1, b"".join(self._renderer.rows(*one, [item]))
            await asyncio.sleep(0)

    async def _statics(self, numbers: list[int], uids: list[int]) -> AsyncGenerator[list[Items], None]:
        """What never changes about them; those that are gone are left out."""
        selected = self._selected
        if len(uids) == 1:
            selected.ahead = await read_one(
                self._mailstore,
                selected.view,
                selected.snapshot,
                selected.ahead,
                numbers[0],
                octets=bool(self._renderer.bodies),
            )
            if uids[0] in selected.ahead.items:
                yield [selected.ahead.items[uids[0]]]
            return
        selected.ahead = None
        source = self._mailstore.fetch(selected.account, selected.mailbox, uids)
        async with aclosing(one_ahead(source)) as chunks:
            async for statics in chunks:
                yield statics

    async def _with_bodies(self, rows: _Rows, statics: Sequence[Items]) -> AsyncGenerator[bytes, None]:
        heads = self._renderer.heads(*rows, statics)
        if self._newly_seen:
            others = self._seen_renderer.heads(*rows, statics)
            changed = [uid in self._newly_seen for uid in rows.uids]
            heads = [other if seen else head for head, other, seen in zip(heads, others, changed, strict=True)]
        sections = [(body.section, body.partial) for body in self._renderer.bodies]
        pieces: list[bytes | memoryview] = []
        size = index = 0
        refs = [item.body for item in statics]
        held = self._selected.ahead.octets if self._selected.ahead is not None else {}
        async with aclosing(read_octets(self._mailstore, refs, sections, held)) as messages:
            async for octets in messages:
                for piece in self._renderer.response(heads[index], octets):
                    pieces.append(piece)
                    size += len(piece)
                index += 1
                if size >= _PIECE:
                    for part in _portions(pieces):
                        yield part
                    pieces, size = [], 0
        yield b"".join(pieces)

    def _present(self, numbers: list[int], uids: list[int]) -> _Rows:
        """Those that are still in the view, with their flags."""
        rows = list(self._selected.view.rows(uids))
        if len(rows) < len(uids):
            number_of = dict(zip(uids, numbers, strict=True))
            uids = [row[0] for row in rows]
            numbers = [number_of[uid] for uid in uids]
        masks = updates.with_recent(self._selected, uids, [row[1] for row in rows])
        return _Rows(numbers, uids, list(masks), [row[2] for row in rows])


def _portions(pieces: Sequence[bytes | memoryview]) -> Iterator[bytes]:
    """Joined, but what is large goes in slices, so that the client's reading limits what waits to be sent."""
    small: list[bytes | memoryview] = []
    for piece in pieces:
        if len(piece) < _PIECE:
            small.append(piece)
            continue
        yield b"".join(small)
        small = []
        for start in range(0, len(piece), _PIECE):
            yield bytes(piece[start : start + _PIECE])
    yield b"".join(small)
