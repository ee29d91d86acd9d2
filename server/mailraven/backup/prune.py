"""Deletes what no kept backup needs: manifests first, then packs; half-empty packs are written anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from mailraven.backup.errors import DamagedBackup, TargetUnavailable
from mailraven.backup.packs import Entry, PackWriter, pack_key
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Listed, Repository
from mailraven.backup.retention import Retention, kept
from mailraven.backup.verify import mark_tables
from mailraven.blobs import BlobUnavailable

_log = structlog.get_logger(component="backup")
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_HALF = 0.5
_INDEXED = 64  # packs an index names at most


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go."""

    kept: tuple[str, ...]
    removed: tuple[str, ...]
    packs: int
    octets: int


async def prune(
    repository: Repository,
    retention: Retention,
    progress: Progress,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Killed at any point it leaves every kept backup whole; what it left is removed by the next run.

    A manifest that cannot be read stops it before anything is deleted. Raises BackupError.
    """
    listed = await repository.snapshots()
    keep = kept([_time(one) for one in listed], retention, now or datetime.now(UTC))
    staying = [one for one in listed if _time(one) in keep]
    going = [one for one in listed if _time(one) not in keep]
    progress.begin("what is kept", len(staying), "backups")
    for one in staying:
        await mark_tables(repository, await repository.read_snapshot(one))
        progress.advance(1)
    if missing := repository.catalog.missing():
        raise DamagedBackup(f"{missing} chunks of kept backups are missing: nothing was deleted")
    usage = list(repository.catalog.usage())
    dead = [(name, size) for name, size, used in usage if not used]
    sparse = [(name, size) for name, size, used in usage if used and used < size * _HALF]
    result = Pruned(
        tuple(one.name for one in staying),
        tuple(one.name for one in going),
        len(dead) + len(sparse),
        sum(size for _, size in dead) + sum(size - used for _, size, used in usage if used and used < size * _HALF),
    )
    try:
        stored = [item.key.rpartition("/")[2] async for item in repository.store.list("data/")]
        # Packs that no index names are what a killed run left: nobody writes while we hold the lock.
        orphans = set(stored) - {name for name, _, _ in usage}
        if dry_run or not (going or dead or sparse or orphans):
            return result
        await _apply(repository, going, dead, sparse, orphans, progress)
    except BlobUnavailable as error:
        raise TargetUnavailable(str(error)) from error
    _log.info("backups_pruned", kept=len(staying), removed=len(going), packs=result.packs, octets=result.octets)
    return result


async def _apply(
    repository: Repository,
    going: list[Listed],
    dead: list[tuple[str, int]],
    sparse: list[tuple[str, int]],
    orphans: set[str],
    progress: Progress,
) -> None:
    for one in going:
        await repository.store.delete(one.key)
    gone = {name for name, _ in dead} | {name for name, _ in sparse}
    indexes = [item.key async for item in repository.store.list("index/")]
    progress.begin("rewrite", sum(size for _, size in sparse))
    staying = [pack for pack in repository.catalog.packs() if pack[0] not in gone]
    fresh = _Rewriter(repository)
    for name, size in sparse:
        octets = await repository.read_pack(name, size)
        for chunk_id, at, length in repository.catalog.chunks_of(name):
            if repository.catalog.is_used(chunk_id):
                await fresh.writer.add(chunk_id, octets[at : at + length])
        progress.advance(size)
    # The new indexes are durable before the old ones go, and those go before the packs they name.
    written = await fresh.finish(staying)
    for key in indexes:
        if key not in written:
            await repository.store.delete(key)
    gone |= orphans - fresh.names
    progress.begin("delete", len(gone), "packs")
    for name in gone:
        await repository.store.delete(pack_key(name))
        progress.advance(1)


class _Rewriter:
    """New packs of what is still needed of old ones, and indexes of all that stays."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._packs: list[tuple[str, int, list[Entry]]] = []
        self.writer = PackWriter(repository.put_object, self._written)

    @property
    def names(self) -> set[str]:
        """Of the new packs."""
        return {name for name, _, _ in self._packs}

    async def finish(self, staying: list[tuple[str, int]]) -> set[str]:
        """Keys of the new indexes."""
        await self.writer.flush()
        keys = set()
        for at in range(0, len(staying), _INDEXED):
            packs = [
                (name, size, self._repository.catalog.chunks_of(name)) for name, size in staying[at : at + _INDEXED]
            ]
            keys.add(await self._repository.write_index(packs))
        if self._packs:
            keys.add(await self._repository.write_index(self._packs))
        return keys

    async def _written(self, name: str, size: int, entries: list[Entry]) -> None:
        self._packs.append((name, size, entries))


def _time(listed: Listed) -> datetime:
    try:
        return datetime.strptime(listed.taken, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise DamagedBackup(f"{listed.key[:80]!r} is no name of a manifest") from None
