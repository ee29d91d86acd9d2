"""`verify data` finds what is wrong, and mends what can be mended without losing mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailraven.blobs.files import FileBlobStore
from mailraven.db import Database
from mailraven.directory import changes
from mailraven.mailstore import Mailstore, Upload
from mailraven.verify.data import verify_data
from mailraven.verify.finding import Finding, Severity, worst


@pytest.fixture
async def blobs(database: Database, tmp_path: Path) -> AsyncIterator[FileBlobStore]:
    """A store with mail in it, small and large."""
    store = FileBlobStore(tmp_path / "blobs")
    await store.open()
    mailstore = Mailstore(database, store)
    async with database.transaction() as connection:
        await changes.create_domain(connection, "example.test")
        account = (await changes.create_account(connection, "ann@example.test", None)).id
    inbox = await mailstore.mailbox(account, "INBOX")
    small, large = b"Subject: s\r\n\r\nbody\r\n", b"Subject: l\r\n\r\n" + b"x" * 50_000
    await mailstore.append(account, inbox.id, [Upload(small), Upload(large), Upload(small, flags=1)])
    await mailstore.close()
    yield store
    await store.close()


async def run(database: Database, blobs: FileBlobStore, *, repair: bool = False, deep: bool = True) -> list[Finding]:
    return await verify_data(database, blobs, repair=repair, deep=deep, grace=timedelta(0))


async def test_a_sound_instance(database: Database, blobs: FileBlobStore) -> None:
    findings = await run(database, blobs)
    assert {one.severity for one in findings} == {Severity.OK}
    assert worst(findings) is Severity.OK


BREAKS = {
    "counters": "UPDATE mailbox SET messages = 7, unseen = 0 WHERE name = 'INBOX'",
    "uids": "UPDATE mailbox SET uidnext = 2 WHERE name = 'INBOX'",
    "uidvalidity": "UPDATE account SET uidvalidity_next = 1",
    "flags": "DELETE FROM message_flags WHERE uid = 1",
    "stray flags": "INSERT INTO message_flags SELECT account_id, mailbox_id, 99, 0, 1 FROM message LIMIT 1",
}


@pytest.mark.parametrize("check", BREAKS)
async def test_what_is_mended(database: Database, blobs: FileBlobStore, check: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(BREAKS[check])
    assert check in {one.check for one in await run(database, blobs) if one.severity is Severity.PROBLEM}
    await run(database, blobs, repair=True)
    await run(database, blobs, repair=True)  # a mended row may show another counter that is wrong
    assert worst(await run(database, blobs)) is Severity.OK


LOSSES = {
    "mailboxes": "UPDATE message SET mailbox_id = 12345; UPDATE message_flags SET mailbox_id = 12345;",
    "bodies": "UPDATE message SET size = size + 1 WHERE uid = 1",
    "inline digests": "UPDATE body SET inline = inline || 'x' WHERE inline IS NOT NULL",
}


@pytest.mark.parametrize("check", LOSSES)
async def test_what_is_only_said(database: Database, blobs: FileBlobStore, check: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(LOSSES[check])
        before = await connection.fetchval("SELECT count(*) FROM message")
    findings = {one.check: one for one in await run(database, blobs, repair=True)}
    assert findings[check].severity is Severity.PROBLEM
    assert findings[check].examples
    assert findings[check].repaired == 0
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM message") == before


async def test_blobs(database: Database, blobs: FileBlobStore, tmp_path: Path) -> None:
    (path,) = [one for one in (tmp_path / "blobs").rglob("*") if one.is_file()]
    octets = path.read_bytes()
    path.write_bytes(octets[:-1] + b"y")
    found = {one.check: one.count for one in await run(database, blobs)}
    assert (found["missing blobs"], found["damaged blobs"]) == (0, 1)
    assert worst(await run(database, blobs, deep=False)) is Severity.OK  # the size is right
    path.write_bytes(octets[:-1])
    found = {one.check: one.count for one in await run(database, blobs, deep=False)}
    assert (found["missing blobs"], found["damaged blobs"]) == (0, 1)
    path.unlink()
    found = {one.check: one.count for one in await run(database, blobs, deep=False)}
    assert (found["missing blobs"], found["damaged blobs"]) == (1, 0)


async def test_orphans_of_some_age_go(database: Database, blobs: FileBlobStore) -> None:
    await blobs.put("aa/orphan", b"x" * 10)
    young = await verify_data(database, blobs, repair=True)
    assert worst(young) is Severity.OK
    findings = {one.check: one for one in await run(database, blobs)}
    assert (findings["orphans"].severity, findings["orphans"].count) == (Severity.WARNING, 1)
    await run(database, blobs, repair=True)
    assert [item.key for item in [item async for item in blobs.list()] if "orphan" in item.key] == []
    assert worst(await run(database, blobs)) is Severity.OK
