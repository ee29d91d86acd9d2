"""When tokens were last used: to the minute, written beside the path of the requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog

from mailraven.db import Database, DatabaseUnavailable

_SECONDS = 60.0
_FLUSH_SECONDS = 2.0
_REMEMBERED = 10_000

_log = structlog.get_logger(component="directory")

_MARK = """
UPDATE api_token SET last_used_at = date_trunc('minute', now())
 WHERE name = ANY ($1) AND (last_used_at IS NULL OR last_used_at < date_trunc('minute', now()))
"""


class TokenUses:
    """One for a process that serves the API."""

    def __init__(
        self,
        database: Database,
        *,
        flush_seconds: float = _FLUSH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._flush_seconds = flush_seconds
        self._clock = clock
        self._marked: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def mark(self, name: str) -> None:
        """It is used now."""
        now = self._clock()
        if now - self._marked.get(name, -_SECONDS) < _SECONDS:
            return
        if len(self._marked) >= _REMEMBERED:
            self._marked.clear()
        self._marked[name] = now
        self._waiting.add(name)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._soon(), name="token-uses")

    async def flush(self) -> None:
        """Write what waits; what cannot be written is forgotten: the next use says it again."""
        names, self._waiting = sorted(self._waiting), set()
        if not names:
            return
        try:
            async with self._database.acquire() as connection:
                await connection.execute(_MARK, names)
        except DatabaseUnavailable as error:
            _log.warning("uses of tokens not written", error=type(error).__name__)
            for name in names:
                self._marked.pop(name, None)

    async def close(self) -> None:
        """Write what waits."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.flush()

    async def _soon(self) -> None:
        await asyncio.sleep(self._flush_seconds)
        await self.flush()
