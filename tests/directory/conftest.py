"""A Directory on a fresh database, with hashes that cost little."""

from collections.abc import AsyncIterator

import argon2
import pytest

from mailraven.db import Database
from mailraven.directory import Directory, Passwords

QUICK = argon2.profiles.CHEAPEST


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Moved by the test."""
    return Clock()


@pytest.fixture
async def directory(database: Database, clock: Clock) -> AsyncIterator[Directory]:
    """Empty; the listener runs."""
    made = Directory(database, passwords=Passwords(parameters=QUICK), clock=clock)
    await database.listener.start()
    yield made
    await made.close()


@pytest.fixture
async def other(dsn: str) -> AsyncIterator[Directory]:
    """Another process of the same installation."""
    database = await Database.connect(dsn)
    made = Directory(database, passwords=Passwords(parameters=QUICK))
    await database.listener.start()
    yield made
    await made.close()
    await database.close()


@pytest.fixture
async def deaf(dsn: str, clock: Clock) -> AsyncIterator[Directory]:
    """A process that no notification reaches, on the test's clock."""
    database = await Database.connect(dsn)
    made = Directory(database, passwords=Passwords(parameters=QUICK), clock=clock)
    yield made
    await made.close()
    await database.close()
