"""Which resources to look at: each waits once, is looked at by one worker at a time, and is tried again after a
problem, later and later.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

FIRST_PAUSE = 1.0  # seconds before the second try

Item = tuple[str, str, str]
"""Kind, namespace, name."""


@dataclass(frozen=True)
class Again:
    """How a look ended."""

    after: float | None = None
    """Look again then, in seconds, although all is well."""
    failed: bool = False
    """Look again with back-off, however long `after` is."""


class WorkQueue:
    """What changed goes before what is only looked at again. `run` works it off."""

    def __init__(
        self,
        look: Callable[[Item], Awaitable[Again]],
        *,
        concurrency: int,
        longest_pause: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._look = look
        self._concurrency = concurrency
        self._longest_pause = longest_pause
        self._chance = chance
        self._urgent: OrderedDict[Item, None] = OrderedDict()
        self._routine: OrderedDict[Item, None] = OrderedDict()
        self._running: dict[Item, bool] = {}  # whether to look again at the end, because something changed
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._failures: dict[Item, int] = {}
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    def __len__(self) -> int:
        """How many wait, not counting those that wait for their time."""
        return len(self._urgent) + len(self._routine)

    @property
    def delayed(self) -> int:
        """How many wait for their time."""
        return len(self._timers)

    def failures(self, item: Item) -> int:
        """Looks that failed in a row."""
        return self._failures.get(item, 0)

    def add(self, item: Item, *, routine: bool = False) -> None:
        """Look at it as soon as possible. `routine`: when there is nothing else to do."""
        if self._closing:
            return
        if item in self._running:
            self._running[item] = True
            return
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
        if item in self._urgent:
            return
        if routine:
            self._routine.setdefault(item, None)
        else:
            self._routine.pop(item, None)
            self._urgent[item] = None
        self._idle.clear()
        self._arrived.set()

    def forget(self, item: Item) -> None:
        """It is gone: its failures do not count for another of the same name."""
        self._failures.pop(item, None)

    async def run(self) -> None:
        """Until cancelled, or until `close` and all that was begun is done."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._concurrency):
                workers.create_task(self._work())

    async def drained(self) -> None:
        """Until nothing waits and nothing runs; what waits for its time does not count."""
        await self._idle.wait()

    def close(self) -> None:
        """Begin nothing more."""
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._urgent.clear()
        self._routine.clear()
        self._arrived.set()
        if not self._running:
            self._idle.set()

    async def _work(self) -> None:
        while True:
            item = await self._next()
            if item is None:
                return
            self._running[item] = False
            again = Again(failed=True)
            try:
                again = await self._look(item)
            finally:
                changed = self._running.pop(item)
                self._settle(item, again, changed=changed)

    async def _next(self) -> Item | None:
        """None: no more."""
        while not self._urgent and not self._routine:
            if self._closing:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return (self._urgent or self._routine).popitem(last=False)[0]

    def _settle(self, item: Item, again: Again, *, changed: bool) -> None:
        if again.failed:
            self._failures[item] = self._failures.get(item, 0) + 1
        else:
            self._failures.pop(item, None)
        if changed:
            self.add(item)
        elif again.failed:
            self._later(item, self.pause(self._failures[item]))
        elif again.after is not None:
            self._later(item, again.after)
        if not self._running and not len(self):
            self._idle.set()

    def pause(self, failures: int) -> float:
        """1, 2, 4 … seconds up to the longest, each shortened by up to half so that not all come back at once."""
        longest = min(self._longest_pause, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
        return longest * (0.5 + 0.5 * self._chance())

    def _later(self, item: Item, seconds: float) -> None:
        if self._closing or item in self._urgent or item in self._routine:
            return
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
        self._timers[item] = asyncio.get_running_loop().call_later(seconds, self._due, item)

    def _due(self, item: Item) -> None:
        self._timers.pop(item, None)
        self.add(item)
