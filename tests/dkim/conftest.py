"""A domain to have keys, and a sealer."""

import pytest

from mailraven.db import Database
from mailraven.sealing import Sealer


@pytest.fixture
def sealer() -> Sealer:
    """With a key of its own."""
    return Sealer([bytes(range(32))])


@pytest.fixture
async def domain_id(database: Database) -> int:
    """Of a domain without keys."""
    async with database.acquire() as connection:
        found: int = await connection.fetchval("INSERT INTO domain (name) VALUES ('example.test') RETURNING id")
        return found
