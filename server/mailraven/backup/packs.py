"""Packs: stored chunks one behind the other, in an object named by the SHA-256 of its octets."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable

from mailraven.backup.errors import DamagedBackup

PACK_OCTETS = 8 << 20
_UPLOADS = 2
_NAME = re.compile(r"[0-9a-f]{64}")

Entry = tuple[bytes, int, int]
"""Chunk id, offset, length."""


def pack_key(name: str) -> str:
    """Where a pack is. Raises DamagedBackup: names come from an index that anybody may have written."""
    if not _NAME.fullmatch(name):
        raise DamagedBackup("an index names a pack that cannot be one")
    return f"data/{name[:2]}/{name}"


class PackWriter:
    """Gathers chunks; full packs are uploaded two at a time while the next one fills."""

    def __init__(
        self,
        put: Callable[[str, bytes], Awaitable[None]],
        written: Callable[[str, int, list[Entry]], Awaitable[None]],
        size: int = PACK_OCTETS,
    ) -> None:
        """`written` is told of a pack when it is durable."""
        self._put = put
        self._written = written
        self._size = size
        self._buffer = bytearray()
        self._entries: list[Entry] = []
        self._pending: set[bytes] = set()
        self._slots = asyncio.Semaphore(_UPLOADS)
        self._uploads: set[asyncio.Task[None]] = set()
        self.octets = 0
        """Uploaded in all."""

    def holds(self, chunk_id: bytes) -> bool:
        """Whether it is on its way."""
        return chunk_id in self._pending

    async def add(self, chunk_id: bytes, stored: bytes) -> None:
        """Raises what an upload before it raised."""
        self._entries.append((chunk_id, len(self._buffer), len(stored)))
        self._pending.add(chunk_id)
        self._buffer += stored
        if len(self._buffer) >= self._size:
            await self._send()

    async def flush(self) -> None:
        """Everything is durable on return."""
        if self._entries:
            await self._send()
        uploads, self._uploads = self._uploads, set()
        await asyncio.gather(*uploads)

    async def abort(self) -> None:
        """End what is under way."""
        for task in self._uploads:
            task.cancel()
        await asyncio.gather(*self._uploads, return_exceptions=True)

    async def _send(self) -> None:
        octets, entries = bytes(self._buffer), self._entries
        self._buffer, self._entries = bytearray(), []
        await self._slots.acquire()
        for task in [one for one in self._uploads if one.done()]:
            self._uploads.discard(task)
            task.result()
        self._uploads.add(asyncio.create_task(self._upload(octets, entries)))

    async def _upload(self, octets: bytes, entries: list[Entry]) -> None:
        try:
            name = (await asyncio.to_thread(hashlib.sha256, octets)).hexdigest()
            await self._put(pack_key(name), octets)
            await self._written(name, len(octets), entries)
            self.octets += len(octets)
            self._pending.difference_update(entry[0] for entry in entries)
        finally:
            self._slots.release()
