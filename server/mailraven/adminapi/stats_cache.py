"""Figures that are counted at most every few seconds, whoever asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

SECONDS = 15.0
_ENTRIES = 1000


class StatsCache:
    """One for a process. Counting goes on one at a time: a dashboard that many look at is not many counts."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: dict[Hashable, tuple[float, Any]] = {}

    async def get(self, key: Hashable, count: Callable[[], Awaitable[Any]]) -> Any:
        """What `count` returned not long ago, or now."""
        async with self._lock:
            now = self._clock()
            known = self._found.get(key)
            if known is not None and now < known[0]:
                return known[1]
            if len(self._found) >= _ENTRIES:
                self._found.clear()
            value = await count()
            self._found[key] = (self._clock() + self._seconds, value)
            return value
