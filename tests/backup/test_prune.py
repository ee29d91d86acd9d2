"""Deleting old backups never takes what a kept one needs, wherever it is stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, Busy
from mailraven.backup.progress import Progress
from mailraven.backup.prune import prune
from mailraven.backup.repository import Repository
from mailraven.backup.retention import Retention
from mailraven.backup.snapshot import Snapshot
from mailraven.backup.verify import verify_snapshot
from mailraven.blobs import BlobUnavailable
from mailraven.blobs.files import FileBlobStore
from mailraven.mailstore import Delivery, LocalTarget

from .conftest import Instance, mail

LATER = datetime.now(UTC) + timedelta(days=3650)


class Stopping(FileBlobStore):
    """A store that fails at a chosen change, and from then on."""

    changes = 0
    limit = 10**9

    async def put(self, key: str, data: bytes) -> None:
        self._count(key)
        await super().put(key, data)

    async def delete(self, key: str) -> None:
        self._count(key)
        await super().delete(key)

    def _count(self, key: str) -> None:
        if not key.startswith("locks/"):
            self.changes += 1
            if self.changes > self.limit:
                raise BlobUnavailable("the target is gone")


async def history(source: Instance, store: FileBlobStore, backups: int) -> list[Snapshot]:
    """Backups of an instance that loses its mail and gets other mail between them."""
    ann = await source.account("ann@example.test")
    made = []
    for number in range(backups):
        async with Repository.open(store, "write") as repository:
            snapshot = (await create(source.database, source.blobs, repository, Progress()))[1]
            made.append(snapshot)
        inbox = await source.mailstore.mailbox(ann, "INBOX")
        await source.mailstore.store(ann, inbox.id, list(range(1, inbox.uidnext)), "add", 8)
        await source.mailstore.expunge(ann, inbox.id)
        await source.mailstore.collect(timedelta(0))
        target = LocalTarget(ann, "ann@example.test")
        for octets in (300, 90_000):
            await source.mailstore.intake.deliver(
                Delivery(raw=mail(1000 + number, octets), recipients=(target,), trace_id="t")
            )
    return made


async def check_all(store: FileBlobStore) -> int:
    """Reads every backup to its end; how many there are."""
    count = 0
    async with Repository.open(store, "read") as repository:
        for listed in await repository.snapshots():
            await verify_snapshot(repository, await repository.read_snapshot(listed), Progress())
            count += 1
    return count


async def test_what_nobody_needs_goes(source: Instance, target: FileBlobStore, tmp_path: Path) -> None:
    await history(source, target, 3)
    before = sum(path.stat().st_size for path in (tmp_path / "target").rglob("*") if path.is_file())
    async with Repository.open(target, "prune") as repository:
        dry = await prune(repository, Retention(days=1), Progress(), now=LATER, dry_run=True)
    assert await check_all(target) == 3
    async with Repository.open(target, "prune") as repository:
        result = await prune(repository, Retention(days=1), Progress(), now=LATER)
    assert (len(result.kept), len(result.removed)) == (1, 2) == (len(dry.kept), len(dry.removed))
    assert await check_all(target) == 1
    after = sum(path.stat().st_size for path in (tmp_path / "target").rglob("*") if path.is_file())
    assert before - after > 50_000
    async with Repository.open(target, "prune") as repository:
        assert (await prune(repository, Retention(days=1), Progress(), now=LATER)).packs == 0


async def test_stopped_anywhere_it_leaves_the_kept_ones_whole(source: Instance, tmp_path: Path) -> None:
    store = Stopping(tmp_path / "stopping")
    await store.open()
    await history(source, store, 3)
    stopped = 0
    for limit in range(40):
        store.changes, store.limit = 0, limit
        try:
            async with Repository.open(store, "prune") as repository:
                await prune(repository, Retention(days=1), Progress(), now=LATER)
        except BackupError:
            stopped += 1
        else:
            break
        finally:
            store.limit = 10**9
        assert await check_all(store) >= 1
    assert stopped >= 3
    assert await check_all(store) == 1
    await store.close()


async def test_two_at_a_time_are_refused(source: Instance, target: FileBlobStore) -> None:
    await history(source, target, 1)
    async with Repository.open(target, "read"):
        with pytest.raises(Busy):
            async with Repository.open(target, "prune"):
                pass
        async with Repository.open(target, "write"):
            with pytest.raises(Busy):
                async with Repository.open(target, "write"):
                    pass


async def test_who_was_killed_is_forgotten(target: FileBlobStore, source: Instance) -> None:
    await history(source, target, 1)
    await target.put("locks/write-0000000000000000", b'{"until": 1000.0, "host": "dead"}')
    async with Repository.open(target, "prune") as repository:
        await prune(repository, Retention(), Progress())
    assert [item.key async for item in target.list("locks/")] == []
