"""Overlap: the next chunk is read while this one is rendered and sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def one_ahead(source: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same items, each asked for before the one before it is used up; never more than one waits."""
    loop = asyncio.get_running_loop()
    reading = loop.create_task(_next(source))
    try:
        while (got := await reading) is not None:
            reading = loop.create_task(_next(source))
            yield got[0]
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()  # nobody wants it any more


async def _next(source: AsyncIterator[T]) -> tuple[T] | None:
    async for item in source:
        return (item,)
    return None
