"""Counting at most every few seconds."""

import asyncio

import pytest

from mailraven.adminapi.stats_cache import StatsCache


async def test_one_count_for_many_questions_until_it_is_old() -> None:
    now, counted = [0.0], []
    cache = StatsCache(10.0, clock=lambda: now[0])

    async def count() -> int:
        await asyncio.sleep(0)
        counted.append(now[0])
        return len(counted)

    assert await asyncio.gather(*(cache.get("a", count) for _ in range(5))) == [1] * 5
    assert await cache.get("b", count) == 2
    now[0] = 9.9
    assert await cache.get("a", count) == 1
    now[0] = 10.1
    assert await cache.get("a", count) == 3


async def test_a_count_that_failed_is_not_remembered() -> None:
    cache = StatsCache()

    async def fail() -> int:
        raise BrokenPipeError

    async def count() -> int:
        return 1

    with pytest.raises(BrokenPipeError):
        await cache.get("a", fail)
    assert await cache.get("a", count) == 1
