"""Reads backups: every chunk is where the index says, every pack has its digest, every count is the manifest's."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailraven.backup.bodies import PIECE, Bundler, blob_id, pieces_of, read_bodies
from mailraven.backup.codec import Codec
from mailraven.backup.errors import DamagedBackup, TargetUnavailable
from mailraven.backup.packs import Entry
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.snapshot import Snapshot, Table
from mailraven.blobs import BlobInfo, BlobUnavailable

_CLOCKS = timedelta(minutes=10)  # the target's clock may be as wrong as that
_MARKED = 1000


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at."""

    rows: int
    bodies: int
    packs: int
    octets: int
    """Of packs that were read."""


async def verify_snapshot(
    repository: Repository, snapshot: Snapshot, progress: Progress, *, since: datetime | None = None
) -> Verified:
    """`since`: read only the packs written after that; of the others only that they are there, with their size.

    Raises DamagedBackup, TargetUnavailable.
    """
    progress.begin("verify: tables", sum(table.rows for table in snapshot.tables), "rows")
    rows = bodies = 0
    for table in snapshot.tables:
        found, octets_ok = await _read_table(repository, table, progress)
        if not octets_ok or found != table.rows:
            raise DamagedBackup(f"table {table.name} is not what the manifest says")
        rows += found
    body = snapshot.table("body")
    if body is not None:
        bodies = await mark_bodies(repository, body)
    if bodies != snapshot.bodies:
        raise DamagedBackup(f"{bodies} bodies where the manifest says {snapshot.bodies}")
    if missing := repository.catalog.missing():
        raise DamagedBackup(f"{missing} chunks are in no pack")
    packs, octets = await _check_packs(repository, progress, since)
    return Verified(rows, bodies, packs, octets)


async def mark_tables(repository: Repository, snapshot: Snapshot) -> None:
    """Marks every chunk that the snapshot needs, bodies too."""
    for table in snapshot.tables:
        repository.catalog.use([bytes.fromhex(chunk.id) for chunk in table.chunks])
    if (body := snapshot.table("body")) is not None:
        await mark_bodies(repository, body)


async def mark_bodies(repository: Repository, table: Table) -> int:
    """Marks the chunks of all bodies; how many bodies there are."""
    codec, bundler, count = repository.codec, Bundler(), 0
    waiting: list[bytes] = []
    async for rows in read_bodies(repository, table):
        count += len(rows)
        waiting += [bundle.id(codec) for bundle in bundler.add(rows)]
        for row in rows:
            if row.key is not None:
                waiting.append(blob_id(codec, row.sha256, row.size))
                if row.size > PIECE and repository.knows(waiting[-1]):
                    waiting += await pieces_of(repository, row)
        if len(waiting) >= _MARKED:
            repository.catalog.use(waiting)
            waiting = []
    waiting += [bundle.id(codec) for bundle in bundler.finish()]
    repository.catalog.use(waiting)
    return count


async def _chunks(repository: Repository, table: Table) -> AsyncIterator[bytes]:
    for chunk in table.chunks:
        yield await repository.get_content(bytes.fromhex(chunk.id))


async def _read_table(repository: Repository, table: Table, progress: Progress) -> tuple[int, bool]:
    digest, rows = hashlib.sha256(), 0
    repository.catalog.use([bytes.fromhex(chunk.id) for chunk in table.chunks])
    async for octets in _chunks(repository, table):
        await asyncio.to_thread(digest.update, octets)
        count = octets.count(b"\n")
        rows += count
        progress.advance(count)
    return rows, digest.hexdigest() == table.sha256


async def _check_packs(repository: Repository, progress: Progress, since: datetime | None) -> tuple[int, int]:
    there = await _stored_packs(repository)
    needed = [(name, size) for name, size, used in repository.catalog.usage() if used]
    for name, size in needed:
        if name not in there:
            raise DamagedBackup(f"pack {name[:16]} is missing")
        if there[name].size != size:
            raise DamagedBackup(f"pack {name[:16]} has {there[name].size} octets where the index says {size}")
    fresh = [(name, size) for name, size in needed if since is None or there[name].modified >= since - _CLOCKS]
    progress.begin("verify: packs", sum(size for _, size in fresh))
    for name, size in fresh:
        octets = await repository.read_pack(name, size)
        if repository.codec.encrypts or since is None:
            chunks = repository.catalog.chunks_of(name)  # here: SQLite's connection belongs to this thread
            await asyncio.to_thread(_unbox_all, repository.codec, chunks, octets)
        progress.advance(size)
    return len(fresh), sum(size for _, size in fresh)


def _unbox_all(codec: Codec, chunks: list[Entry], octets: bytes) -> None:
    for chunk_id, at, length in chunks:
        codec.unbox(chunk_id, octets[at : at + length])


async def _stored_packs(repository: Repository) -> dict[str, BlobInfo]:
    try:
        return {item.key.rpartition("/")[2]: item async for item in repository.store.list("data/")}
    except BlobUnavailable as error:
        raise TargetUnavailable(str(error)) from error
