"""Octets of messages for FETCH: sections and partials, reading no more of a large message than is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from mailraven.imapd.read_ahead import one_ahead
from mailraven.mailstore import BodyRef, Mailstore
from mailraven.message import Section, extract, parse

Partial = tuple[int, int]
Wanted = Sequence[tuple[Section, Partial | None]]
Octets = list[bytes | memoryview | None]
"""One message: for each wanted section; None: it has no such part."""

_LARGE = 256 * 1024
_BUDGET = 1024 * 1024  # octets of small messages read at a time; two such chunks are in memory
_HEADER = 64 * 1024
"""Where the header of a large message is looked for first."""


async def read_octets(
    mailstore: Mailstore, refs: Sequence[BodyRef], wanted: Wanted, held: Mapping[BodyRef, bytes]
) -> AsyncGenerator[Octets, None]:
    """For each message, in order, the octets of each wanted section. `held`: whole messages read already."""
    small: list[BodyRef] = []
    for ref in refs:
        if ref.size < _LARGE and ref not in held:
            small.append(ref)
            continue
        async for octets in _of_small(mailstore, small, wanted):
            yield octets
        small = []
        yield _sections(held[ref], wanted) if ref in held else await _of_large(mailstore, ref, wanted)
    async for octets in _of_small(mailstore, small, wanted):
        yield octets


async def _of_small(mailstore: Mailstore, refs: Sequence[BodyRef], wanted: Wanted) -> AsyncGenerator[Octets, None]:
    if len(refs) < 2:
        for ref in refs:
            yield _sections(await mailstore.read(ref), wanted)
        return
    async with aclosing(one_ahead(mailstore.read_many(refs, _BUDGET))) as chunks:
        async for raws in chunks:
            for raw in raws:
                yield _sections(raw, wanted)


async def _of_large(mailstore: Mailstore, ref: BodyRef, wanted: Wanted) -> Octets:
    if all(section == Section() and partial is not None for section, partial in wanted):
        ranges = [partial for _, partial in wanted if partial is not None]
        if sum(length for _, length in ranges) > ref.size:  # overlapping: one reading serves them all
            return _sections(await mailstore.read(ref), wanted)
        return [await mailstore.read(ref, min(first, ref.size), length) for first, length in ranges]
    if all(not section.path and (section.text or "").startswith("HEADER") for section, _ in wanted):
        raw = await mailstore.read(ref, 0, _HEADER)
        if b"\r\n\r\n" in raw:  # the header ends in there, at this empty line or before
            return _sections(raw, wanted)
    raw = await mailstore.read(ref)
    return await asyncio.to_thread(_sections, raw, wanted)


def _sections(raw: bytes, wanted: Wanted) -> Octets:
    tree = parse(raw) if sum(bool(section.path) for section, _ in wanted) > 1 else None
    whole: dict[Section, bytes | None] = {}
    found: Octets = []
    for section, partial in wanted:
        if section not in whole:
            whole[section] = extract(raw, section, tree)
        octets: bytes | memoryview | None = whole[section]
        if octets is not None and partial is not None:
            first, length = partial
            octets = memoryview(octets)[first : first + length]  # no copy: there may be hundreds, of megabytes each
        found.append(octets)
    return found
