"""Token buckets over several processes."""

from __future__ import annotations

import asyncio

import pytest

from mailraven.db import Database
from mailraven.limits.buckets import Bucket, Buckets
from mailraven.limits.model import CounterKey


def bucket(count: int = 60, burst: int = 10, key: str = "ip:192.0.2.1") -> Bucket:
    return Bucket(CounterKey("api_requests", key, 60), count, burst)


async def sleep_in_the_database(database: Database, seconds: float) -> None:
    """As if so much time had passed for Postgres."""
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE limit_counter SET started_at = started_at - make_interval(secs => $1)", seconds
        )


async def test_a_burst_and_then_the_pace(database: Database) -> None:
    buckets = Buckets(database)
    assert [(await buckets.pour(bucket())).allowed for _ in range(11)] == [True] * 11
    refused = await buckets.pour(bucket())
    assert not refused.allowed
    assert 0.5 < refused.wait_seconds <= 1.0
    await sleep_in_the_database(database, 3.0)
    fresh = Buckets(database)
    assert [(await fresh.pour(bucket())).allowed for _ in range(4)] == [True, True, True, False]


async def test_requests_of_one_moment_are_counted_one_by_one(database: Database) -> None:
    buckets = Buckets(database)
    poured = await asyncio.gather(*(buckets.pour(bucket()) for _ in range(30)))
    assert sum(one.allowed for one in poured) == 11


async def test_exact_over_processes(dsn: str) -> None:
    databases = [await Database.connect(dsn) for _ in range(4)]
    pourings = [Buckets(database) for database in databases]
    poured = await asyncio.gather(*(pourings[number % 4].pour(bucket(1, 20)) for number in range(100)))
    assert sum(one.allowed for one in poured) == 21
    for database in databases:
        await database.close()


async def test_a_full_bucket_takes_no_more(database: Database) -> None:
    buckets = Buckets(database)
    await buckets.pour(bucket())
    await sleep_in_the_database(database, 10_000.0)
    assert (await buckets.pour(bucket())).remaining == 10


async def test_without_a_burst_each_request_waits_its_turn(database: Database) -> None:
    buckets = Buckets(database)
    assert (await buckets.pour(bucket(60, 0))).allowed
    assert not (await buckets.pour(bucket(60, 0))).allowed


async def test_a_refusal_is_repeated_from_memory(database: Database) -> None:
    now = [0.0]
    buckets = Buckets(database, clock=lambda: now[0])
    for _ in range(12):
        await buckets.pour(bucket())
    await sleep_in_the_database(database, 1.0)
    assert not (await buckets.pour(bucket())).allowed
    now[0] = 1.0
    assert (await buckets.pour(bucket())).allowed


async def test_one_client_does_not_stop_another(database: Database) -> None:
    buckets = Buckets(database)
    first = [buckets.pour(bucket()) for _ in range(20)]
    second = [buckets.pour(bucket(key="ip:192.0.2.2")) for _ in range(5)]
    poured = await asyncio.gather(*first, *second)
    assert all(one.allowed for one in poured[20:])


async def test_it_passes_while_postgres_is_away(dsn: str) -> None:
    database = await Database.connect(dsn)
    buckets = Buckets(database)
    await database.close()
    assert [(await buckets.pour(bucket())).allowed for _ in range(20)] == [True] * 20


@pytest.mark.parametrize(("count", "burst"), [(1000, 0), (7, 3), (1_000_000, 100)])
async def test_paces_of_any_kind(database: Database, count: int, burst: int) -> None:
    buckets = Buckets(database)
    poured = await asyncio.gather(*(buckets.pour(bucket(count, burst)) for _ in range(burst + 1)))
    assert all(one.allowed for one in poured)
