"""A Postgres cluster for a test session and a fresh, migrated database for each test."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from mailraven.db import EmbeddedPostgres, migrate

_TEMPLATE = "mailraven_template"

_EMPTY = """
DO $$ BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    ALTER TABLE audit DISABLE TRIGGER USER;  -- it is append-only
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY CASCADE'
        FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration');
    ALTER TABLE audit ENABLE TRIGGER USER;
    INSERT INTO domain_template (name, spec) VALUES ('_default', '{}');
END $$
"""


class TestCluster:
    """A cluster with a migrated template database; databases are cloned from it, or emptied and lent again."""

    __test__ = False

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._numbers = itertools.count(1)
        self._free: list[str] = []

    def dsn(self, name: str) -> str:
        """URL of the database `name`."""
        parts = urlsplit(self._dsn)
        return urlunsplit(parts._replace(path=f"/{name}", netloc=parts.netloc))

    def prepare(self) -> None:
        """Make the template."""
        asyncio.run(self._execute(f"CREATE DATABASE {_TEMPLATE}"))
        asyncio.run(_migrate(self.dsn(_TEMPLATE)))

    def create(self, *, template: bool = True) -> str:
        """Make a database and return its URL. Not from inside a running loop: see `create_async`."""
        return asyncio.run(self.create_async(template=template))

    async def create_async(self, *, template: bool = True) -> str:
        """Make a database and return its URL."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        source = f" TEMPLATE {_TEMPLATE}" if template else ""
        await self._execute(f"CREATE DATABASE {name}{source}")
        return self.dsn(name)

    async def borrow(self) -> str:
        """A migrated, empty database, perhaps used before: cheaper than a new one. Pair with give_back()."""
        return self._free.pop() if self._free else await self.create_async()

    async def give_back(self, dsn: str) -> None:
        """Cut whoever is still connected, empty all tables, keep it for the next test."""
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_EMPTY)
        finally:
            await connection.close()
        self._free.append(dsn)

    async def drop_async(self, dsn: str) -> None:
        """Drop a database, whoever is connected."""
        name = urlsplit(dsn).path.strip("/")
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


async def _migrate(dsn: str) -> None:
    await migrate(dsn)


@contextmanager
def test_cluster() -> Iterator[TestCluster]:
    """Start a cluster (without fsync: a test's data need not survive the machine), stop and remove it at the end.

    MAILRAVEN_TEST_DATABASE_URL names another server to use, whose role may create databases.
    """
    url = os.environ.get("MAILRAVEN_TEST_DATABASE_URL")
    if url:
        cluster = TestCluster(url)
        asyncio.run(cluster._execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)"))
        cluster.prepare()
        yield cluster
        return
    directory = Path(tempfile.mkdtemp(prefix="mr-pg-"))
    directory.chmod(0o711)
    server = EmbeddedPostgres(directory / "pg", durable=False)
    try:
        server.start()
        cluster = TestCluster(server.dsn)
        cluster.prepare()
        yield cluster
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
