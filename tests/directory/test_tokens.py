"""Service credentials."""

import pytest

from mailraven.db import Database
from mailraven.directory import Directory, InvalidValue, NoSuchToken, TokenExists


async def test_a_token_is_known_by_its_secret_until_it_is_removed(directory: Directory, database: Database) -> None:
    secret, other = await directory.create_token("operator"), await directory.create_token("backup job")
    assert secret.startswith("mr_")
    assert len(secret) == 46
    assert secret != other
    assert await directory.verify_token(secret) == "operator"
    assert await directory.verify_token(other) == "backup job"
    async with database.acquire() as connection:
        stored = await connection.fetch("SELECT * FROM api_token")
    assert secret not in str(stored)
    await directory.delete_token("operator")
    assert await directory.verify_token(secret) is None
    with pytest.raises(NoSuchToken):
        await directory.delete_token("operator")


@pytest.mark.parametrize(
    "secret", ["", "mr_", "mr_" + "a" * 43, "mr_" + "a" * 42 + "\0", "x" * 100_000, "mr_" + "ä" * 43]
)
async def test_other_secrets_are_nobody(directory: Directory, secret: str) -> None:
    await directory.create_token("operator")
    assert await directory.verify_token(secret) is None


async def test_a_name_is_taken_once(directory: Directory) -> None:
    await directory.create_token("operator")
    with pytest.raises(TokenExists):
        await directory.create_token("operator")


@pytest.mark.parametrize("name", ["", " a", "a\nb", "a\0", "x" * 101, "ä"])
async def test_a_name_that_could_confuse_a_log_is_refused(directory: Directory, name: str) -> None:
    with pytest.raises(InvalidValue):
        await directory.create_token(name)
