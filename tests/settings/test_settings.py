"""Settings that change without a restart: stored sparse, versioned, in force everywhere soon after."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from mailraven.db import Database
from mailraven.directory import VersionMismatch
from mailraven.settings import Settings, read, write
from mailraven_api.settings import AdminSettings, BanSettings, LimitSettings


@pytest.fixture
async def settings(database: Database) -> AsyncIterator[Settings]:
    made = Settings(database, reload_seconds=3600)
    await made.load()
    await database.listener.start()
    yield made
    await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_without_rows_everything_has_its_default(settings: Settings, database: Database) -> None:
    assert settings.bans == BanSettings()
    assert settings.admin == AdminSettings()
    async with database.acquire() as connection:
        group = await read(connection, "admin")
    assert (group.value, group.version, group.changed_by) == (AdminSettings(), 0, "")


async def test_a_change_is_in_force_and_told(settings: Settings, database: Database) -> None:
    told: list[int] = []
    settings.subscribe(lambda: told.append(settings.bans.threshold))
    async with database.transaction() as connection:
        written = await write(connection, "bans", BanSettings(threshold=7), changed_by="ann@example.org", expected=None)
    assert written.version == 1
    await until(lambda: settings.bans.threshold == 7)
    assert told == [7]
    async with database.acquire() as connection:
        group = await read(connection, "bans")
        stored = await connection.fetchval("SELECT value FROM setting WHERE name = 'bans'")
    assert (group.value, group.version, group.changed_by) == (BanSettings(threshold=7), 1, "ann@example.org")
    assert stored == '{"threshold": 7}'  # a default that changes later still reaches this server


async def test_another_process_hears_of_it(settings: Settings, database: Database, dsn: str) -> None:
    other = await Database.connect(dsn)
    try:
        async with other.transaction() as connection:
            await write(connection, "mail", type(settings.mail)(max_message_size=4096), changed_by="x", expected=0)
        await until(lambda: settings.mail.max_message_size == 4096)
    finally:
        await other.close()


async def test_a_lost_notification_only_delays(database: Database) -> None:
    settings = Settings(database, reload_seconds=0.01)  # the listener is not started: nothing is ever told
    await settings.load()
    async with database.transaction() as connection:
        await write(connection, "admin", AdminSettings(session_hours=2), changed_by="x", expected=None)
    await until(lambda: settings.admin.session_hours == 2)
    await settings.close()


async def test_of_two_who_read_the_same_version_one_writes(database: Database) -> None:
    async def change(minutes: int, expected: int) -> int:
        async with database.transaction() as connection:
            value = AdminSettings(session_idle_minutes=minutes)
            return (await write(connection, "admin", value, changed_by="x", expected=expected)).version

    for expected in (0, 1):
        results = await asyncio.gather(change(1, expected), change(2, expected), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["VersionMismatch", "int"]
    with pytest.raises(VersionMismatch):
        await change(3, 7)


async def test_a_row_that_is_not_valid_leaves_what_held(settings: Settings, database: Database) -> None:
    async with database.transaction() as connection:
        await write(connection, "limits", LimitSettings(api_burst=3), changed_by="x", expected=None)
    await until(lambda: settings.limits.api_burst == 3)
    async with database.acquire() as connection:
        await connection.execute("""UPDATE setting SET value = '{"api_burst": -1}' WHERE name = 'limits'""")
    await settings.load()
    assert settings.limits.api_burst == 3
