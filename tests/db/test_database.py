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
