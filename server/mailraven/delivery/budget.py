"""Bounds the octets of messages that a process holds in memory while it sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OctetBudget:
    """A message larger than all of it goes alone."""

    def __init__(self, octets: int) -> None:
        self._total = octets
        self._free = octets
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, octets: int) -> AsyncIterator[None]:
        """Waits until there is room."""
        octets = min(octets, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= octets)
            self._free -= octets
        try:
            yield
        finally:
            self._free += octets
            async with self._changed:
                self._changed.notify_all()
