"""SIGKILL at every kind of step of a backup and of a restore: nothing is harmed, and the next run picks up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mailraven.backup.create import create
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.verify import verify_snapshot
from mailraven.blobs.files import FileBlobStore

from .conftest import Instance

RUN = Path(__file__).with_name("killed_run.py")


async def run_until(what: str, instance: Instance, blobs: Path, target: Path, steps: int) -> bool:
    """Whether it got to its end; else it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RUN), what, instance.dsn, str(blobs), str(target), str(steps),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    code = await asyncio.wait_for(process.wait(), 60)
    assert code in (0, -9)
    return code == 0


async def forget_the_dead(store: FileBlobStore) -> int:
    """What ten minutes do: locks of the killed end. How many readable backups there are."""
    async for item in store.list("locks/"):
        await store.put(item.key, b'{"until": 0, "host": "dead"}')
    if not [item async for item in store.list("mailraven-backup")]:
        return 0
    async with Repository.open(store, "read") as repository:
        listed = await repository.snapshots()
        for one in listed:
            await verify_snapshot(repository, await repository.read_snapshot(one), Progress())
        return len(listed)


async def test_a_backup(source: Instance, target: FileBlobStore, tmp_path: Path) -> None:
    before = await source.fingerprint()
    killed = 0
    for steps in range(0, 200, 2):
        done = await run_until("create", source, tmp_path / "source", tmp_path / "target", steps)
        killed += not done
        readable = await forget_the_dead(target)
        if done:
            assert readable >= 1
            break
    assert killed >= 5
    assert await source.fingerprint() == before
    # What the killed ones had copied was not copied again: one pack of bodies, not one for each try.
    large = [item async for item in target.list("data/") if item.size > 1 << 20]
    assert len(large) <= 2


@pytest.mark.timeout(240)
async def test_a_restore(source: Instance, empty: Instance, target: FileBlobStore, tmp_path: Path) -> None:
    async with Repository.open(target, "write") as repository:
        await create(source.database, source.blobs, repository, Progress())
    nothing = await empty.fingerprint()
    killed, steps = 0, 0
    while not await run_until("restore", empty, tmp_path / "empty", tmp_path / "target", steps):
        killed += 1
        steps += 5
        await forget_the_dead(target)
        async with asyncio.timeout(20), empty.database.acquire() as connection:
            while await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
                " AND pid <> pg_backend_pid() AND application_name = 'mailraven'"
            ):
                await asyncio.sleep(0.01)
        assert {**await empty.fingerprint(), "blobs": ""} == {**nothing, "blobs": ""}
    assert killed >= 5
    assert await empty.fingerprint() == await source.fingerprint()
