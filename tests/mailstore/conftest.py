"""A mailstore on a fresh database with files for blobs, and an account with the usual mailboxes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.directory import changes
from mailraven.mailstore import Mailstore

# Each query finds what must not be.
_BROKEN = {
    "counters differ from a recount": """
        SELECT b.account_id, b.id, b.messages, b.unseen, b.deleted, b.bytes, r.* FROM mailbox b, LATERAL (
            SELECT count(*) AS messages, count(*) FILTER (WHERE f.flags & 1 = 0) AS unseen,
                   count(*) FILTER (WHERE f.flags & 8 <> 0) AS deleted, coalesce(sum(m.size), 0) AS bytes,
                   coalesce(max(m.uid), 0) AS last_uid, coalesce(max(f.modseq), 0) AS last_modseq
            FROM message m JOIN message_flags f USING (account_id, mailbox_id, uid)
            WHERE account_id = b.account_id AND mailbox_id = b.id) AS r
        WHERE b.messages <> r.messages OR b.unseen <> r.unseen OR b.deleted <> r.deleted OR b.bytes <> r.bytes
           OR b.uidnext <= r.last_uid OR b.modseq < r.last_modseq""",
    "a message without flags, or flags without a message": """
        SELECT account_id, mailbox_id, uid, m.size, f.flags FROM message m
        FULL JOIN message_flags f USING (account_id, mailbox_id, uid) WHERE m.size IS NULL OR f.flags IS NULL""",
    "a message without a mailbox": """
        SELECT m.account_id, mailbox_id, uid FROM message m
        LEFT JOIN mailbox b ON b.account_id = m.account_id AND b.id = m.mailbox_id WHERE b.id IS NULL""",
    "a message without a body": """
        SELECT m.account_id, mailbox_id, uid FROM message m
        LEFT JOIN body b ON b.account_id = body_account_id AND b.id = body_id
        WHERE b.id IS NULL OR m.size <> b.size + length(m.prefix)""",
    "a body that nothing refers to and that the collector will never see": """
        SELECT b.account_id, b.id FROM body b
        WHERE NOT EXISTS (SELECT 1 FROM message WHERE body_account_id = b.account_id AND body_id = b.id)
          AND NOT EXISTS (SELECT 1 FROM queue_message WHERE body_account_id = b.account_id AND body_id = b.id)
          AND NOT EXISTS (SELECT 1 FROM body_release WHERE account_id = b.account_id AND body_id = b.id)""",
    "a change newer than its mailbox": """
        SELECT c.account_id, c.mailbox_id, c.modseq, b.modseq FROM mailbox_change c
        JOIN mailbox b ON b.account_id = c.account_id AND b.id = c.mailbox_id WHERE c.modseq > b.modseq""",
}

Audit = Callable[[], Awaitable[None]]


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


@pytest.fixture
def audit(database: Database) -> Audit:
    """Checks that the rows agree with each other."""

    async def check() -> None:
        async with database.acquire() as connection:
            for what, query in _BROKEN.items():
                assert [dict(row) for row in await connection.fetch(query)] == [], what

    return check
