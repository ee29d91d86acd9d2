"""Gates on one database, each with connections, settings and memory of its own, as in processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from mailraven import settings as stored_settings
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.limits import Gate
from mailraven.settings import Settings
from mailraven_api.model import Model

JANE, JOHN = "jane@example.org", "john@example.org"


@dataclass
class Process:
    """What a process has of limits."""

    database: Database
    settings: Settings
    gate: Gate
    directory: Directory

    async def execute(self, sql: str, *arguments: object) -> None:
        """As somebody at the database."""
        async with self.database.acquire() as connection:
            await connection.execute(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: object) -> object:
        """As somebody at the database."""
        async with self.database.acquire() as connection:
            return await connection.fetchval(sql, *arguments)

    async def set(self, group: str, value: Model) -> None:
        """Change settings that are in force at once in this process."""
        async with self.database.transaction() as connection:
            await stored_settings.write(connection, group, value, changed_by="test", expected=None)  # type: ignore[arg-type]
        await self.settings.load()

    async def account(self, address: str = JANE) -> int:
        """The id of an account, made if need be."""
        if not await self.directory.is_local_domain(address.partition("@")[2]):
            await self.directory.create_domain(address.partition("@")[2])
        await self.directory.create_account(address, "correct horse battery")
        return (await self.directory.get_account(address)).id


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(dsn: str) -> AsyncIterator[Start]:
    """Starts processes."""
    async with AsyncExitStack() as stack:

        async def one(**options: object) -> Process:
            database = await Database.connect(dsn)
            stack.push_async_callback(database.close)
            settings = Settings(database)
            stack.push_async_callback(settings.close)
            gate = Gate(database, settings, **options)  # type: ignore[arg-type]
            directory = Directory(database)
            stack.push_async_callback(directory.close)
            await database.listener.start()
            await settings.load()
            await gate.start()
            stack.push_async_callback(gate.close)
            return Process(database, settings, gate, directory)

        yield one


@pytest.fixture
async def process(start: Start) -> Process:
    """One of them."""
    return await start()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits until the condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Waits until a condition holds."""
    return until
