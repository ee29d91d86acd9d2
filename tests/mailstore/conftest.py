"""A mailstore on a fresh database with files for blobs, and an account with the usual mailboxes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.directory import changes
from mailraven.mailstore import Mailstore


@pytest.fixture
async def account(database: Database) -> int:
    """alice@example.test."""
    async with database.transaction() as connection:
        await changes.create_domain(connection, "example.test")
        return (await changes.create_account(connection, "alice@example.test", None)).id


@pytest.fixture
async def second(database: Database, account: int) -> int:
    """bob@example.test."""
    async with database.transaction() as connection:
        return (await changes.create_account(connection, "bob@example.test", None)).id


@pytest.fixture
async def blobs(tmp_path: Path) -> FileBlobStore:
    """Blobs on disk."""
    store = FileBlobStore(tmp_path / "blobs")
    await store.open()
    return store


@pytest.fixture
async def mailstore(database: Database, blobs: FileBlobStore) -> AsyncIterator[Mailstore]:
    """A mailstore that hears of other processes' changes."""
    store = Mailstore(database, blobs, inline_max=1024)
    await database.listener.start()
    yield store
    await store.close()


@pytest.fixture
async def elsewhere(dsn: str, blobs: FileBlobStore) -> AsyncIterator[Mailstore]:
    """The mailstore of another process."""
    database = await Database.connect(dsn)
    store = Mailstore(database, blobs, inline_max=1024)
    await database.listener.start()
    yield store
    await store.close()
    await database.close()
