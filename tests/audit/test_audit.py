"""The audit log: what is stored, that nobody changes it, and that a flood of entries stays small."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mailraven.audit import AuditLog, Entry, Filter, Recorded, expire, list_entries, write
from mailraven.db import Database, DatabaseUnavailable

ENTRY = Entry("ann@example.org", "192.0.2.1", "r1", "domain.update", "example.net", domain_id=7)


async def stored(database: Database, **wanted: Any) -> list[Recorded]:
    async with database.acquire() as connection:
        return await list_entries(connection, Filter(**wanted))


@pytest.fixture
async def log(database: Database) -> AsyncIterator[AuditLog]:
    made = AuditLog(database, flush_seconds=0.01)
    yield made
    await made.close()


async def test_only_what_differs_is_stored(database: Database) -> None:
    before = {"status": "active", "security": {"spf": {"enabled": True}, "spam": {"enabled": True}}, "old": 1}
    after = {"status": "active", "security": {"spf": {"enabled": False}, "spam": {"enabled": True}}, "new": None}
    async with database.transaction() as connection:
        await write(connection, replace(ENTRY, before=before, after=after))
    (row,) = await stored(database)
    assert row.before == {"security": {"spf": {"enabled": True}}, "old": 1}
    assert row.after == {"security": {"spf": {"enabled": False}}, "new": None}
    assert (row.actor, row.ip, row.request_id, row.action) == ("ann@example.org", "192.0.2.1", "r1", "domain.update")
    assert (row.target, row.domain_id, row.outcome) == ("example.net", 7, "ok")


async def test_secrets_are_hidden_even_when_somebody_forgets(database: Database) -> None:
    after = {"password": "hunter2", "nested": [{"token": "mr_xyz", "name": "n"}], "key": None, "totp_enforced": True}
    async with database.transaction() as connection:
        await write(connection, replace(ENTRY, after=after))
        text = await connection.fetchval("SELECT row_to_json(audit)::text FROM audit")
    assert "hunter2" not in text
    assert "mr_xyz" not in text
    (row,) = await stored(database)
    assert row.after is not None
    assert row.after["nested"][0]["name"] == "n"
    assert row.after["totp_enforced"] is True
    assert row.after["key"] is None


async def test_any_text_can_be_stored(database: Database) -> None:
    bad = "a\0b\ud800\r\n'; DROP TABLE audit; --<script>"
    async with database.transaction() as connection:
        await write(connection, Entry(bad, bad, bad, bad, bad * 100, after={bad: [bad]}))
        await write(connection, replace(ENTRY, after={"x": "y" * 1_000_000}))
    big, row = await stored(database)
    assert "\0" not in row.actor
    assert len(row.target) == 1000
    assert big.after is not None
    assert big.after["too_long"] > 1_000_000


async def test_nobody_changes_or_deletes_a_row(database: Database) -> None:
    async with database.transaction() as connection:
        await write(connection, ENTRY)
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(statement)
    assert len(await stored(database)) == 1


async def test_rows_over_400_days_old_go(database: Database) -> None:
    async with database.transaction() as connection:
        for days in (1, 399, 401, 500):
            await connection.execute(
                "INSERT INTO audit (at, actor, action) VALUES (now() - make_interval(days => $1), 'x', $2)",
                days,
                f"d{days}",
            )
        assert await expire(connection) == 2
        assert await expire(connection) == 0
    assert [row.action for row in await stored(database)] == ["d399", "d1"]


async def test_lists_are_filtered_and_paged(database: Database) -> None:
    async with database.transaction() as connection:
        for number in range(6):
            await write(connection, replace(ENTRY, domain_id=number % 2, target=str(number)))
        await write(connection, replace(ENTRY, action="session.login", outcome="refused", domain_id=None))
        first = await list_entries(connection, Filter(domain_ids=[1]), limit=2)
        second = await list_entries(connection, Filter(domain_ids=[1]), before_id=first[-1].id, limit=2)
    assert [row.target for row in first + second] == ["5", "3", "1"]
    assert len(await stored(database, action="session")) == 1
    assert len(await stored(database, outcome="refused")) == 1
    assert await stored(database, action="sess") == []
    assert len(await stored(database, domain_ids=[])) == 0
    assert len(await stored(database, actor="ann@example.org")) == 7


async def test_what_is_recorded_comes_soon_and_equal_entries_are_counted(log: AuditLog, database: Database) -> None:
    refused = replace(ENTRY, action="session.login", outcome="refused")
    for _ in range(100):
        log.record(refused)
    log.record(replace(refused, actor="bob@example.org"))
    await log.flush()
    rows = {row.actor: row.after for row in await stored(database)}
    assert rows == {"ann@example.org": {"times": 100}, "bob@example.org": None}


async def test_a_flood_of_different_entries_from_one_address_is_few_rows(log: AuditLog, database: Database) -> None:
    for number in range(10_000):
        log.record(replace(ENTRY, action="access", target=f"/x/{number}", outcome="refused"))
    log.record(replace(ENTRY, ip="198.51.100.1", outcome="refused"))
    await log.flush()
    rows = await stored(database)
    assert len(rows) < 60
    assert {row.ip for row in rows} == {"192.0.2.1", "198.51.100.1"}
    assert sum((row.after or {"times": 1})["times"] for row in rows) == 10_001


async def test_a_flood_from_everywhere_is_bounded(database: Database) -> None:
    log = AuditLog(database, flush_seconds=3600)
    for number in range(20_000):
        log.record(replace(ENTRY, ip=str(number)))
    await log.close()
    assert len(await stored(database)) <= 1000
    async with database.acquire() as connection:
        assert 1000 < await connection.fetchval("SELECT count(*) FROM audit") <= 5000


async def test_entries_wait_while_the_database_is_away(database: Database, dsn: str) -> None:
    away = await Database.connect(dsn)
    log = AuditLog(away, flush_seconds=3600)
    log.record(ENTRY)
    await away.close()
    with pytest.raises(DatabaseUnavailable):
        await log.flush()
    log._database = database
    await log.close()
    (row,) = await stored(database)
    assert json.dumps(row.after) == "null"
