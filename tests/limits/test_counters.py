"""Leased counters: exact over several processes, from memory where they can, given back, open when Postgres is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mailraven.db import Database
from mailraven.limits.counters import Counters
from mailraven.limits.model import Cost, CounterKey

HOUR = 3600


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def cost(
    limit: int, events: int = 1, *, key: str = "ip:192.0.2.1", window: int = HOUR, event: str = "messages"
) -> Cost:
    return Cost(CounterKey(event, key, window), limit, events)


@pytest.fixture
async def four(dsn: str) -> AsyncIterator[list[Counters]]:
    databases = [await Database.connect(dsn, size=2) for _ in range(4)]
    counters = [Counters(database) for database in databases]
    yield counters
    for one in counters:
        await one.close()
    for database in databases:
        await database.close()


async def used(database: Database, key: str = "ip:192.0.2.1", window: int = HOUR) -> int:
    async with database.acquire() as connection:
        found = await connection.fetchval(
            "SELECT used FROM limit_counter WHERE key = $1 AND window_seconds = $2", key, window
        )
        return int(found)


async def test_four_processes_at_once_allow_exactly_the_limit(four: list[Counters]) -> None:
    async def process(counters: Counters) -> int:
        outcomes = await asyncio.gather(*(counters.charge([cost(100)]) for _ in range(60)))
        return sum(outcome.allowed for outcome in outcomes)

    allowed = sum(await asyncio.gather(*(process(one) for one in four)))
    assert allowed <= 100
    for one in four:  # what one of them holds and does not use goes back
        await one.give_back(0)
    fresh = Counters(four[0]._database)
    allowed += sum([(await fresh.charge([cost(100)])).allowed for _ in range(101 - allowed)])
    assert allowed == 100
    await fresh.close()


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 8, 9, 50])
async def test_one_after_the_other_in_turn_is_exact(four: list[Counters], limit: int) -> None:
    allowed = [(await four[number % 4].charge([cost(limit)])).allowed for number in range(limit)]
    # What others have leased and not used may refuse early, until it is given back.
    for one in four:
        await one.give_back(0)
    for _ in range(limit):
        for one in four:
            allowed.append((await one.charge([cost(limit)])).allowed)
            await one.give_back(0)
    assert sum(allowed) == limit


async def test_most_charges_are_answered_from_memory(database: Database) -> None:
    counters = Counters(database)
    for _ in range(1000):
        assert (await counters.charge([cost(100_000)])).allowed
    assert counters.statements <= 10
    await counters.close()


async def test_charges_of_one_moment_share_a_statement(database: Database) -> None:
    counters = Counters(database)
    keys = [f"ip:192.0.2.{number}" for number in range(200)]
    await asyncio.gather(*(counters.charge([cost(50, key=key)]) for key in keys))
    assert counters.statements <= 2
    await counters.close()


async def test_all_or_none(database: Database) -> None:
    counters = Counters(database)
    small, large = cost(3, key="account:a"), cost(1000, key="domain:d")
    for _ in range(3):
        assert (await counters.charge([small, large])).allowed
    refused = await counters.charge([small, large])
    assert not refused.allowed
    assert refused.cost == small
    await counters.close()
    assert await used(database, "account:a") == 3
    assert await used(database, "domain:d") == 3


async def test_several_windows_hold_at_once(database: Database) -> None:
    counters = Counters(database)
    limits = [cost(2, window=60), cost(5, window=HOUR)]
    assert [(await counters.charge(limits)).allowed for _ in range(3)] == [True, True, False]
    async with database.acquire() as connection:  # the minute is over
        await connection.execute(
            "UPDATE limit_counter SET started_at = now() - interval '61 s' WHERE window_seconds = 60"
        )
    fresh = Counters(database)
    await counters.close()
    assert [(await fresh.charge(limits)).allowed for _ in range(3)] == [True, True, False]
    await fresh.close()
    assert await used(database, window=HOUR) == 4


async def test_an_event_that_needs_more_than_a_lease_gets_it(database: Database) -> None:
    counters = Counters(database)
    assert (await counters.charge([cost(1000, 700)])).allowed
    assert not (await counters.charge([cost(1000, 400)])).allowed
    assert (await counters.charge([cost(1000, 300)])).allowed
    assert not (await counters.charge([cost(1000)])).allowed
    await counters.close()
    assert await used(database) == 1000


async def test_what_is_not_used_goes_back(database: Database) -> None:
    counters = Counters(database)
    await counters.charge([cost(800)])
    assert await used(database) == 100  # a lease
    await counters.give_back(0)
    assert await used(database) == 1
    await counters.close()


async def test_it_goes_back_by_itself_within_two_seconds(
    database: Database, eventually: Callable[..., Awaitable[None]]
) -> None:
    counters = Counters(database)
    await counters.charge([cost(800)])
    deadline = asyncio.get_running_loop().time() + 2.0
    while await used(database) > 1:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    await counters.close()


async def test_a_refund_can_be_charged_again(database: Database) -> None:
    counters = Counters(database)
    outcome = await counters.charge([cost(1)])
    assert not (await counters.charge([cost(1)])).allowed
    counters.refund(outcome.charged)
    assert (await counters.charge([cost(1)])).allowed
    await counters.close()
    assert await used(database) == 1


async def test_a_refund_after_the_lease_is_gone_reaches_the_table(database: Database) -> None:
    counters = Counters(database)
    outcome = await counters.charge([cost(10)])
    await counters.give_back(0)
    assert await used(database) == 1
    counters.refund(outcome.charged)
    await counters.close()
    assert await used(database) == 0


async def test_a_refund_from_an_earlier_window_changes_nothing(database: Database) -> None:
    counters = Counters(database)
    outcome = await counters.charge([cost(10)])
    await counters.give_back(0)
    async with database.acquire() as connection:
        await connection.execute("UPDATE limit_counter SET started_at = now() - interval '2 hours'")
    await counters.charge([cost(10)])
    counters.refund(outcome.charged)
    await counters.close()
    assert await used(database) == 1


async def test_a_question_spends_nothing(database: Database) -> None:
    counters = Counters(database)
    for _ in range(20):
        assert (await counters.charge([cost(2)], spend=False)).allowed
    assert (await counters.charge([cost(2)])).allowed
    assert (await counters.charge([cost(2)])).allowed
    assert not (await counters.charge([cost(2)], spend=False)).allowed
    await counters.close()


async def test_a_window_begins_with_the_first_event_and_then_ends(database: Database) -> None:
    clock = Clock()
    counters = Counters(database, clock=clock)
    assert (await counters.charge([cost(1)])).allowed
    refused = await counters.charge([cost(1)])
    assert not refused.allowed
    assert HOUR - 5 < refused.reset_seconds <= HOUR
    clock.now += HOUR + 1  # the lease is void; Postgres decides, whose clock says that the window goes on
    assert not (await counters.charge([cost(1)])).allowed
    async with database.acquire() as connection:
        await connection.execute("UPDATE limit_counter SET started_at = now() - interval '1 hour'")
    clock.now += HOUR + 1
    assert (await counters.charge([cost(1)])).allowed
    await counters.close()


async def test_a_lease_is_void_when_its_window_ends(database: Database) -> None:
    clock = Clock()
    counters = Counters(database, clock=clock)
    await counters.charge([cost(800)])
    before = counters.statements
    clock.now += HOUR
    await counters.charge([cost(800)])
    assert counters.statements == before + 1
    await counters.close()


async def test_a_smaller_limit_holds_at_once(database: Database) -> None:
    first, second = Counters(database), Counters(database)
    for _ in range(20):
        assert (await first.charge([cost(100)])).allowed
    await first.close()
    assert not (await second.charge([cost(20)])).allowed
    assert (await second.charge([cost(21)])).allowed
    await second.close()


async def test_everything_passes_while_postgres_is_away(dsn: str) -> None:
    database = await Database.connect(dsn)
    counters = Counters(database)
    assert (await counters.charge([cost(1)])).allowed
    await database.close()
    other = cost(1, key="ip:198.51.100.1")
    for _ in range(10):
        outcome = await counters.charge([other])
        assert outcome.allowed
        assert outcome.charged == ()
    assert not (await counters.charge([cost(1)])).allowed  # known already
    await counters.close()


async def test_a_caller_that_goes_away_is_not_charged(database: Database) -> None:
    counters = Counters(database)
    task = asyncio.create_task(counters.charge([cost(10)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await counters.close()
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT coalesce(sum(used), 0)::int FROM limit_counter") == 0


async def test_processes_with_keys_in_other_orders_do_not_deadlock(four: list[Counters]) -> None:
    keys = [f"ip:192.0.2.{number}" for number in range(50)]

    async def process(counters: Counters, order: list[str]) -> int:
        allowed = 0
        for _ in range(10):
            outcomes = await asyncio.gather(*(counters.charge([cost(40, key=key)]) for key in order))
            allowed += sum(outcome.allowed for outcome in outcomes)
            await counters.give_back(0)
        return allowed

    orders = [keys, keys[::-1], keys[25:] + keys[:25], sorted(keys, key=hash)]
    assert sum(await asyncio.gather(*map(process, four, orders))) == 2000
