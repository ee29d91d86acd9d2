"""App passwords: what they look like, how many there are, when they were used."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mailraven.db import Database
from mailraven.directory import AppPasswordExists, Directory, InvalidValue, NoSuchAccount, NoSuchAppPassword
from mailraven.directory.app_passwords import (
    MAXIMUM,
    LastUse,
    create_app_password,
    delete_app_password,
    list_app_passwords,
)
from mailraven.directory.codes import ALPHABET, digest, make_code

_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE NOT l.granted AND a.datname = current_database())
"""
SHAPE = re.compile(rf"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{5}}")


@pytest.fixture
async def anna(directory: Directory) -> int:
    await directory.create_domain("example.org")
    return (await directory.create_account("anna@example.org", None)).id


async def test_it_is_shown_once_and_kept_as_a_digest(database: Database, anna: int) -> None:
    async with database.acquire() as connection:
        entry, secret = await create_app_password(connection, anna, "phone")
        assert SHAPE.fullmatch(secret)
        assert math.log2(len(ALPHABET)) * len(secret.replace("-", "")) >= 118
        assert await list_app_passwords(connection, anna) == [entry]
        assert (entry.name, entry.protocols, entry.expires_at, entry.last_used_at) == (
            "phone",
            ("imap", "smtp"),
            None,
            None,
        )
        stored = await connection.fetchval("SELECT row_to_json(p)::text FROM app_password p")
    assert secret not in stored
    assert secret.replace("-", "") not in stored
    assert digest(secret).hex() in stored


def test_codes_have_no_look_alikes_and_are_all_different() -> None:
    codes = {make_code(6) for _ in range(1000)}
    assert len(codes) == 1000
    assert not set("".join(codes)) & set("ilo01")


@pytest.mark.parametrize("same", ["ABCD-EFGH", "abcdefgh", " abcd efgh ", "ab-cd ef-gh", "abcd\u00a0efgh"])
def test_how_it_is_typed_makes_no_difference(same: str) -> None:
    assert digest(same) == digest("abcd-efgh")


@pytest.mark.parametrize("other", ["abcd-efgj", "", "\udcff", "abcd-efgh" * 50])
def test_anything_else_is_another(other: str) -> None:
    assert digest(other) != digest("abcd-efgh")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("", {}),
        ("x" * 101, {}),
        ("two\nlines", {}),
        ("nul\0", {}),
        ("half \udcff", {}),
        ("web", {"protocols": ["http"]}),
        ("nothing", {"protocols": []}),
        ("late", {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}),
    ],
)
async def test_what_cannot_be_made(database: Database, anna: int, name: str, options: dict[str, object]) -> None:
    async with database.acquire() as connection:
        with pytest.raises(InvalidValue):
            await create_app_password(connection, anna, name, **options)  # type: ignore[arg-type]
        assert await list_app_passwords(connection, anna) == []


async def test_a_name_is_there_once_and_is_free_again(database: Database, anna: int) -> None:
    async with database.acquire() as connection:
        entry, first = await create_app_password(connection, anna, "phone")
        with pytest.raises(AppPasswordExists):
            await create_app_password(connection, anna, "phone")
        assert await delete_app_password(connection, anna, entry.id) == entry
        with pytest.raises(NoSuchAppPassword):
            await delete_app_password(connection, anna, entry.id)
        _, second = await create_app_password(connection, anna, "phone")
    assert first != second


async def test_nobody_deletes_that_of_another(directory: Directory, database: Database, anna: int) -> None:
    ben = (await directory.create_account("ben@example.org", None)).id
    async with database.acquire() as connection:
        entry, _ = await create_app_password(connection, anna, "phone")
        with pytest.raises(NoSuchAppPassword):
            await delete_app_password(connection, ben, entry.id)
        with pytest.raises(NoSuchAccount):
            await create_app_password(connection, ben + 1000, "phone")


async def test_an_account_has_so_many_and_no_more_whoever_comes_at_once(database: Database, anna: int) -> None:
    async def create(name: str) -> None:
        async with database.transaction() as connection:
            await create_app_password(connection, anna, name)

    for number in range(MAXIMUM - 1):
        await create(f"device {number}")
    async with database.transaction() as connection:
        await create_app_password(connection, anna, "late 0")
        second = asyncio.create_task(create("late 1"))
        async with asyncio.timeout(10):  # until it waits for the first, or has wrongly got through
            while not second.done() and not await connection.fetchval(_WAITS):
                await asyncio.sleep(0.01)
    with pytest.raises(InvalidValue, match="at most 50"):
        await second
    async with database.acquire() as connection:
        assert len(await list_app_passwords(connection, anna)) == MAXIMUM
        await connection.execute("UPDATE app_password SET expires_at = now() - interval '1 s' WHERE name = 'late 0'")
        await connection.execute(
            "UPDATE app_password SET expires_at = now() - interval '1 s' WHERE name LIKE 'device 1%'"
        )
    await create("after some have expired")


class Hours:
    """A wall clock that stands."""

    def __init__(self) -> None:
        self.now = 3600.0 * 1000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def last_use(database: Database) -> AsyncIterator[LastUse]:
    made = LastUse(database, clock=Hours())
    yield made
    await made.close()


async def test_the_last_use_is_written_to_the_hour_and_once(database: Database, anna: int) -> None:
    async with database.acquire() as connection:
        entry, _ = await create_app_password(connection, anna, "phone")

    async def written() -> tuple[datetime | None, str]:
        async with database.acquire() as connection:
            row = await connection.fetchrow("SELECT last_used_at, xmin::text FROM app_password")
        return row["last_used_at"], row["xmin"]

    hours = Hours()
    before = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    last_use = LastUse(database, clock=hours)
    for _ in range(3):
        last_use.mark(anna, entry.id)
        last_use.mark(anna, entry.id + 1000)  # deleted meanwhile
    await last_use.close()
    moment, version = await written()
    assert moment is not None
    assert before <= moment <= datetime.now(UTC)
    assert (moment.minute, moment.second, moment.microsecond) == (0, 0, 0)
    last_use.mark(anna, entry.id)
    hours.now += 3600
    last_use.mark(anna, entry.id)  # written again, but for Postgres the hour is the same: no new row version
    await last_use.close()
    if (await written())[0] == moment:
        assert (await written())[1] == version


async def test_the_last_use_is_lost_rather_than_a_login(database: Database, anna: int, last_use: LastUse) -> None:
    await database._pool.close()
    last_use.mark(anna, 1)
    await last_use.close()
