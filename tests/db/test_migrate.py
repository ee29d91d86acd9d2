"""Two versions of the program on one schema: an upgrade without a pause, and the way back."""

import re
import sys

import asyncpg
import pytest

from mailraven.db import MigrationError, migrate, pending_migrations
from mailraven.db.migrate import Migration, load_migrations
from mailraven.testing.postgres import TestCluster

_TAKES_AWAY = re.compile(r"\b(DROP (TABLE|COLUMN|TYPE|CONSTRAINT)|RENAME|SET NOT NULL|ALTER COLUMN \w+ TYPE)\b", re.I)


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch):
    """Makes this program one that knows a further migration, until it is called with None."""
    known = load_migrations()

    def become(sql: str | None) -> None:
        more = [] if sql is None else [Migration(len(known) + 1, "next", sql)]
        # The package has a function of the module's name.
        monkeypatch.setattr(sys.modules["mailraven.db.migrate"], "load_migrations", lambda: [*known, *more])

    return become


async def test_this_version_runs_on_the_schema_of_the_next_one(cluster: TestCluster, next_version) -> None:
    dsn = await cluster.create_async()
    next_version("CREATE TABLE later (id integer)")
    await migrate(dsn)
    next_version(None)
    connection = await asyncpg.connect(dsn)
    assert await pending_migrations(connection) == []
    await connection.close()
    assert await migrate(dsn) == []
    await cluster.drop_async(dsn)


@pytest.mark.parametrize("needs", ["this", "next"])
async def test_a_schema_without_what_this_version_needs_is_refused(
    cluster: TestCluster, next_version, needs: str
) -> None:
    dsn = await cluster.create_async()
    oldest = len(load_migrations()) + (needs == "next")
    next_version(f"-- It goes.\n-- needs: {oldest:04}\nDROP TABLE audit")
    await migrate(dsn)
    next_version(None)
    if needs == "this":
        assert await migrate(dsn) == []
    else:
        with pytest.raises(MigrationError, match="downgrade is not supported"):
            await migrate(dsn)
    await cluster.drop_async(dsn)


async def test_a_schema_from_before_versions_said_what_they_need(cluster: TestCluster, next_version) -> None:
    dsn = await cluster.create_async()
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE schema_migration DROP COLUMN needs")
    assert await pending_migrations(connection) == []
    next_version("CREATE TABLE later (id integer)")
    [pending] = await pending_migrations(connection)
    assert pending.name == "next"
    await connection.close()
    assert len(await migrate(dsn)) == 1
    await cluster.drop_async(dsn)


def test_what_takes_away_says_whom_it_leaves_behind() -> None:
    first, *others = load_migrations()
    assert first.needs == 1
    for migration in others[2:]:  # 0001 to 0003 were never released one by one
        code = re.sub(r"--.*", "", migration.sql)
        if _TAKES_AWAY.search(code):
            assert migration.needs > 1, f"{migration.name}: say `-- needs: NNNN`"
