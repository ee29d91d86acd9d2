"""Fixtures shared by all tests: a real Postgres for the session, a database and a Database for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from mailraven.db import Database
from mailraven.testing.postgres import TestCluster, test_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[TestCluster]:
    """The session's Postgres."""
    with test_cluster() as running:
        yield running


@pytest.fixture
async def dsn(cluster: TestCluster) -> AsyncIterator[str]:
    """URL of a fresh, migrated, empty database."""
    url = await cluster.borrow()
    yield url
    await cluster.give_back(url)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A Database on a fresh, migrated, empty database."""
    connected = await Database.connect(dsn)
    yield connected
    await connected.close()
