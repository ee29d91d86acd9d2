"""Lists of the server that many share."""

import asyncio
from typing import Any

from mailraven_operator.listing import CachedListing


class Source:
    """A list that a test changes."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {"ann": {"v": 1}, "bob": {"v": 1}}
        self.fetched = 0
        self.asked: list[str] = []
        self.now = 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.listing = CachedListing(self.fetch, 10.0, lambda: self.now)

    async def fetch(self) -> dict[str, Any]:
        self.fetched += 1
        items = dict(self.items)
        await self.gate.wait()
        return items

    async def one(self, key: str) -> Any:
        async def ask() -> Any:
            self.asked.append(key)
            return self.items.get(key)

        return await self.listing.one(key, ask)


async def test_many_askers_share_a_list() -> None:
    source = Source()
    found = await asyncio.gather(*(source.one("ann") for _ in range(50)), source.one("nobody"))
    assert found == [{"v": 1}] * 50 + [None]
    assert (source.fetched, source.asked) == (1, [])
    source.now = 11.0
    await source.listing.all()
    assert source.fetched == 2


async def test_what_we_changed_is_asked_for() -> None:
    source = Source()
    await source.listing.all()
    source.items["ann"] = {"v": 2}
    source.listing.outdate("ann")
    assert await source.one("ann") == {"v": 2}
    assert await source.one("bob") == {"v": 1}
    assert source.asked == ["ann"]


async def test_a_change_while_the_list_is_on_its_way_outdates_it() -> None:
    source = Source()
    source.gate.clear()
    listing = asyncio.create_task(source.one("ann"))
    while not source.fetched:
        await asyncio.sleep(0)
    source.items["ann"] = {"v": 2}
    source.listing.outdate("ann")
    source.gate.set()
    assert await listing == {"v": 2}


async def test_a_cleared_list_is_not_filled_by_what_was_on_its_way() -> None:
    source = Source()
    source.gate.clear()
    listing = asyncio.create_task(source.listing.all())
    while not source.fetched:
        await asyncio.sleep(0)
    source.items = {}
    source.listing.clear()
    source.gate.set()
    await listing
    assert await source.listing.all() == {}
