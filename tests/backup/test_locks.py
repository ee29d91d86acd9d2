"""A lock that is given up while it is taken does not stay for its ten minutes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailraven.backup.locks import hold
from mailraven.blobs import FileBlobStore


class SlowStore(FileBlobStore):
    """What `put` has begun it ends, as a thread does."""

    begun: asyncio.Event
    go_on: asyncio.Event
    writing: asyncio.Task[None]

    async def put(self, key: str, data: bytes) -> None:
        self.writing = asyncio.create_task(self._write(key, data))
        self.begun.set()
        await asyncio.shield(self.writing)

    async def _write(self, key: str, data: bytes) -> None:
        await self.go_on.wait()
        await super().put(key, data)


async def test_a_run_that_is_stopped_while_it_takes_its_lock_leaves_none(tmp_path: Path) -> None:
    slow = SlowStore(tmp_path)
    await slow.open()
    slow.begun, slow.go_on = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with hold(slow, "write"):
            raise AssertionError("it was stopped before")

    running = asyncio.create_task(run())
    await slow.begun.wait()
    running.cancel()
    await asyncio.sleep(0)
    slow.go_on.set()
    await asyncio.gather(running, slow.writing, return_exceptions=True)
    assert running.cancelled()
    assert [item.key async for item in slow.list("locks/")] == []
    await slow.close()
