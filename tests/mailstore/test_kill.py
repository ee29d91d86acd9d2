"""A process is killed again and again while it changes mail: what it acknowledged is there once, the rows agree."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.mailstore import Mailstore
from mailraven.mailstore.flags import FLAGGED

Audit = Callable[[], Awaitable[None]]

WRITER = Path(__file__).with_name("killed_writer.py")
ROUNDS = 6


async def acknowledged_until_killed(arguments: list[str], lines: int) -> list[int]:
    """Start a writer, let it acknowledge so many messages, SIGKILL it."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(WRITER), *arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    numbers = [int(await asyncio.wait_for(process.stdout.readline(), 20)) for _ in range(lines)]
    process.kill()
    rest = await process.stdout.read()
    await process.wait()
    return numbers + [int(line) for line in rest.split(b"\n")[:-1]]


async def until_rolled_back(database: Database) -> None:
    """Until Postgres has noticed that the other side of every other connection is gone."""
    async with asyncio.timeout(20), database.acquire() as connection:
        while await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'mailraven' AND pid <> pg_backend_pid() AND state <> 'idle'"
        ):
            await asyncio.sleep(0.01)


async def numbers_of_messages(store: Mailstore, account: int) -> list[int]:
    found = []
    for box in await store.list_mailboxes(account):
        view = await store.view(account, box.id)
        async for items in store.fetch(account, box.id, view.snapshot().uids.tolist()):
            async for raws in store.read_many([item.body for item in items]):
                found += [int(raw.split(b"\r\n", 1)[0].removeprefix(b"Subject: ")) for raw in raws]
        store.release(view)
    return found


async def test_killed_writers_lose_nothing_and_double_nothing(
    mailstore: Mailstore, database: Database, blobs: FileBlobStore, account: int, dsn: str, tmp_path: Path, audit: Audit
) -> None:
    chance = random.Random(3)
    acknowledged: list[int] = []
    for turn in range(ROUNDS):
        arguments = [dsn, str(tmp_path / "blobs"), str(account), str(turn), str(turn * 1_000_000)]
        acknowledged += await acknowledged_until_killed(arguments, chance.randint(5, 120))
        await until_rolled_back(database)
        await audit()
    found = await numbers_of_messages(mailstore, account)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(found) - len(acknowledged) <= ROUNDS * 4
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM message_flags WHERE flags & $1 = 0", FLAGGED) == 0
