"""A bounded cache before the database: one query per key in flight, nothing kept across an invalidation."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Least recently used goes first. `lifetime(value)` is in seconds; 0 keeps nothing.

    Values with `is_miss(value)` live in a space of their own: a flood of unknown names evicts no known one.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V]],
        *,
        lifetime: Callable[[V], float],
        is_miss: Callable[[V], bool],
        entries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._lifetime = lifetime
        self._is_miss = is_miss
        self._entries = entries
        self._clock = clock
        self._hits: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._misses: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._in_flight: dict[K, asyncio.Task[V]] = {}
        self._tasks: set[asyncio.Task[V]] = set()

    async def get(self, key: K) -> V:
        """The value, from the cache without touching the loop, or loaded."""
        now = self._clock()
        for space in (self._hits, self._misses):
            if (entry := space.get(key)) is not None:
                if now < entry[0]:
                    space.move_to_end(key)
                    return entry[1]
                del space[key]
        task = self._in_flight.get(key)
        if task is None:
            task = asyncio.create_task(self._fill(key))
            task.add_done_callback(self._finished)
            self._tasks.add(task)
            self._in_flight[key] = task
        # A caller that is cancelled must not take the others' answer away.
        return await asyncio.shield(task)

    def clear(self) -> None:
        """Forget everything. What is being read now is answered to those who wait for it, but not kept."""
        self._hits.clear()
        self._misses.clear()
        self._in_flight.clear()

    def drop(self, key: K) -> None:
        """Forget one key."""
        self._hits.pop(key, None)
        self._misses.pop(key, None)
        self._in_flight.pop(key, None)

    async def close(self) -> None:
        """End the queries in flight."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._hits) + len(self._misses)

    async def _fill(self, key: K) -> V:
        current = asyncio.current_task()
        try:
            value = await self._load(key)
            # Asked before an invalidation: the answer may be from before it too.
            if self._in_flight.get(key) is current and (lifetime := self._lifetime(value)) > 0:
                space = self._misses if self._is_miss(value) else self._hits
                space[key] = (self._clock() + lifetime, value)
                if len(space) > self._entries:
                    space.popitem(last=False)
            return value
        finally:
            if self._in_flight.get(key) is current:
                del self._in_flight[key]

    def _finished(self, task: asyncio.Task[V]) -> None:
        self._tasks.discard(task)
        # When every caller was cancelled nobody else looks at the exception.
        if not task.cancelled():
            task.exception()
