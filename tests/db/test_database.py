"""Pool, migrations, leases, LISTEN/NOTIFY on a real Postgres."""

import asyncio

import asyncpg
import pytest

from mailraven.db import Database, DatabaseUnavailable, MigrationError, acquire_lease, migrate, release_lease
from mailraven.testing.postgres import TestCluster


async def test_migrations_from_nothing_run_once_and_from_many_processes(cluster: TestCluster) -> None:
    dsn = await cluster.create_async(template=False)
    applied = await asyncio.gather(*(migrate(dsn) for _ in range(4)))
    assert sorted(len(some) for some in applied)[:3] == [0, 0, 0]
    assert max(len(some) for some in applied) >= 1
    await cluster.drop_async(dsn)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("UPDATE schema_migration SET sha256 = 'x' WHERE version = 1", "0001 foundation was edited"),
        ("INSERT INTO schema_migration VALUES (9999, 'future', 'x')", "downgrade is not supported"),
    ],
)
async def test_an_edited_migration_and_a_newer_schema_are_refused(cluster: TestCluster, change: str, text: str) -> None:
    dsn = await cluster.create_async()
    connection = await asyncpg.connect(dsn)
    await connection.execute(change)
    await connection.close()
    with pytest.raises(MigrationError, match=text):
        await migrate(dsn)
    await cluster.drop_async(dsn)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await Database.connect("postgresql://nobody@127.0.0.1:1/none", timeout=2)


async def test_a_cut_connection_is_unavailable_once_and_then_heals(database: Database, dsn: str) -> None:
    async def cut() -> None:
        async with database.acquire() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            other = await asyncpg.connect(dsn)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            await other.close()
            await connection.fetchval("SELECT pg_sleep(5)")

    with pytest.raises(DatabaseUnavailable):
        await cut()
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_lease_has_one_holder_and_a_rising_epoch(database: Database) -> None:
    async with database.acquire() as connection:
        first = await acquire_lease(connection, "job", "a", 60)
        assert first is not None
        assert await acquire_lease(connection, "job", "b", 60) is None
        assert await acquire_lease(connection, "job", "a", 60) == first
        await release_lease(connection, "job", "a")
        second = await acquire_lease(connection, "job", "b", 60)
        assert second is not None
        assert second > first
        await connection.execute("UPDATE lease SET leased_until = now() - interval '1 s'")
        # The old holder comes back after its lease lapsed: it gets a new epoch, so its old writes are fenced off.
        third = await acquire_lease(connection, "job", "b", 60)
        assert third is not None
        assert third > second


async def test_notifications_arrive_coalesced_and_none_marks_a_reconnect(database: Database, dsn: str) -> None:
    got: asyncio.Queue[str | None] = asyncio.Queue()
    database.listener.subscribe("letters", got.put_nowait)
    await database.listener.start()
    assert await asyncio.wait_for(got.get(), 10) is None
    for letter in "abcab":
        database.notifier.notify("letters", letter)
    assert await asyncio.wait_for(got.get(), 10) == "a,b,c"
    other = await asyncpg.connect(dsn)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND query LIKE 'LISTEN%' AND datname = current_database()"
    )
    await other.close()
    assert await asyncio.wait_for(got.get(), 10) is None
    database.notifier.notify("letters", "d")
    assert await asyncio.wait_for(got.get(), 10) == "d"


async def test_what_the_server_cannot_do_now_is_unavailable(database: Database) -> None:
    async def too_slow() -> None:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = 20")
            await connection.execute("SELECT pg_sleep(5)")

    async def lock_not_free() -> None:
        async with database.transaction() as one, database.transaction() as other:
            await one.execute("SELECT pg_advisory_xact_lock(1)")
            await other.execute("SET LOCAL lock_timeout = 20")
            await other.execute("SELECT pg_advisory_xact_lock(1)")

    async def raised(code: str) -> None:
        async with database.acquire() as connection:
            await connection.execute(f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{code}'; END $$")

    # deadlock, serialization failure, disk full, out of memory, I/O error, cancelled by its operator
    trouble = [raised(code) for code in ("40P01", "40001", "53100", "53200", "58030", "57014")]
    for attempt in (too_slow(), lock_not_free(), *trouble):
        with pytest.raises(DatabaseUnavailable):
            await attempt
    with pytest.raises(asyncpg.UniqueViolationError):
        await raised("23505")


async def test_a_callback_that_fails_makes_nobody_deaf(database: Database) -> None:
    got: asyncio.Queue[str | None] = asyncio.Queue()

    def fails(payload: str | None) -> None:
        raise ValueError(payload)

    database.listener.subscribe("letters", fails)
    database.listener.subscribe("letters", got.put_nowait)
    await database.listener.start()
    assert await asyncio.wait_for(got.get(), 10) is None
    database.notifier.notify("letters", "a")
    assert await asyncio.wait_for(got.get(), 10) == "a"


async def test_a_pool_whose_borrowers_are_cancelled_keeps_its_connections(database: Database) -> None:
    async def borrow(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_sleep($1::float8)", number % 7 / 1000)

    for turn in range(30):
        tasks = [asyncio.create_task(borrow(number)) for number in range(8)]
        await asyncio.sleep(turn % 6 / 1000)
        for task in tasks[turn % 3 :: 2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10), database.acquire() as _, database.acquire() as _, database.acquire() as last:
        assert await last.fetchval("SELECT 1") == 1
