"""What a list of the server said, for some seconds; what we change meanwhile is asked for by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Document = dict[str, Any]


class CachedListing:
    """One list. Many may ask at once: it is fetched once."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[dict[str, Document]]],
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._now = now
        self._lock = asyncio.Lock()
        self._items: dict[str, Document] | None = None
        self._fetched_at = 0.0
        # Keys changed since the list was asked for, by us: what it says of them may be from before.
        self._outdated: set[str] = set()
        self._cleared = False

    async def all(self) -> Mapping[str, Document]:
        """The list, at most `seconds` old; what was changed since may show as it was."""
        async with self._lock:
            if self._items is not None and self._now() - self._fetched_at <= self._seconds:
                return self._items
            # Before the request: a change while the list is on its way makes it old for that key.
            self._outdated.clear()
            self._cleared = False
            started = self._now()
            items = await self._fetch()
            self._items, self._fetched_at = (None if self._cleared else items), started
            return items

    async def one(self, key: str, ask: Callable[[], Awaitable[Document | None]]) -> Document | None:
        """The item of that key; `ask` fetches it alone when the list is older than a change of it."""
        items = await self.all()
        if key not in self._outdated:
            return items.get(key)
        return await ask()

    def outdate(self, key: str) -> None:
        """A change of this item was sent."""
        self._outdated.add(key)

    def clear(self) -> None:
        """Everything may have changed."""
        self._items = None
        self._cleared = True
