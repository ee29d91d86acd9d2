"""A backup or a restore that kills itself (SIGKILL) at its n-th step; exit code 0 when it got to its end before."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from mailraven.backup.create import create
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.restore import restore_all
from mailraven.blobs.files import FileBlobStore
from mailraven.db import Database


class Fatal(FileBlobStore):
    """Counts every access, over all stores of the process; the n-th is the last."""

    left = 0

    async def put(self, key: str, data: bytes) -> None:
        _step()
        await super().put(key, data)
        _step()

    async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        _step()
        return await super().get(key, offset, length)

    async def delete(self, key: str) -> None:
        _step()
        await super().delete(key)


def _step() -> None:
    Fatal.left -= 1
    if Fatal.left < 0:
        os.kill(os.getpid(), signal.SIGKILL)


async def main(what: str, dsn: str, blobs: str, target: str) -> None:
    """One run."""
    database = await Database.connect(dsn)
    store, place = Fatal(Path(blobs)), Fatal(Path(target))
    await place.open()
    if what == "create":
        async with Repository.open(place, "write") as repository:
            await create(database, store, repository, Progress())
    else:
        async with Repository.open(place, "read") as repository:
            snapshot = await repository.read_snapshot((await repository.snapshots())[-1])
            await restore_all(database, store, repository, snapshot, Progress(), hold_queue=False)
    for one in (store, place, database):
        await one.close()


if __name__ == "__main__":
    *arguments, steps = sys.argv[1:]
    Fatal.left = int(steps)
    asyncio.run(main(*arguments))
