"""The cache before the database."""

import asyncio
from collections.abc import Callable

import pytest

from mailraven.directory.cache import Cache


class Source:
    """Answers with the number of the question, when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    async def __call__(self, key: str) -> str | None:
        self.asked.append(key)
        number = len(self.asked)
        await self.gate.wait()
        if self.fails:
            raise OSError
        return None if key.startswith("?") else f"{key}{number}"


def make(source: Source, clock: Callable[[], float], entries: int = 3) -> Cache[str, str | None]:
    return Cache(
        source,
        lifetime=lambda value: 60.0 if value else 10.0,
        is_miss=lambda value: value is None,
        entries=entries,
        clock=clock,
    )


async def test_a_hit_asks_once_and_does_not_yield(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    assert await cache.get("a") == "a1"
    with pytest.raises(StopIteration) as done:
        cache.get("a").send(None)  # a coroutine that never suspends ends at once
    assert done.value.value == "a1"
    assert source.asked == ["a"]


async def test_entries_live_as_long_as_they_may(clock) -> None:
    source = Source()
    cache = make(source, clock)
    await cache.get("a")
    await cache.get("?")
    clock.now += 10.0
    await cache.get("a")
    await cache.get("?")
    assert source.asked == ["a", "?", "?"]
    clock.now += 50.0
    assert await cache.get("a") == "a4"


async def test_many_askers_share_one_question(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    source.gate.clear()
    askers = [asyncio.create_task(cache.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*askers)) == {"a1"}
    assert source.asked == ["a"]


async def test_an_asker_that_gives_up_takes_nothing_from_the_others(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    source.gate.clear()
    first, second = (asyncio.create_task(cache.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert await second == "a1"
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)


async def test_an_answer_from_before_a_change_is_not_kept(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    source.gate.clear()
    before = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    cache.clear()
    after = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    source.gate.set()
    assert (await before, await after) == ("a1", "a2")
    assert await cache.get("a") == "a2"
    assert len(cache) == 1


async def test_a_failure_is_told_to_all_and_not_kept(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    source.fails = True
    results = await asyncio.gather(*(cache.get("a") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    source.fails = False
    assert await cache.get("a") == "a2"


async def test_the_least_recently_used_goes_and_misses_evict_no_hit(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    for key in ("a", "b", "c"):
        await cache.get(key)
    for number in range(100):
        await cache.get(f"?{number}")
    assert len(cache) == 6
    await cache.get("a")
    await cache.get("d")
    source.asked.clear()
    for key in ("a", "c", "d"):
        await cache.get(key)
    assert source.asked == []
    await cache.get("b")
    assert source.asked == ["b"]


async def test_closing_ends_what_is_under_way(clock: Callable[[], float]) -> None:
    source = Source()
    cache = make(source, clock)
    source.gate.clear()
    asker = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
