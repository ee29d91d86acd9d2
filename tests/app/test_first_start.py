"""What a start makes, and what it leaves alone."""

import stat
from pathlib import Path

import pytest

from mailraven.app.data_directory import DataDirectory
from mailraven.app.first_start import Prepared, User, generate_password, prepare
from mailraven.app.master_key import with_master_key
from mailraven.config import Config, load
from mailraven.db import Database
from mailraven.directory import AddressError, Directory


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def config(dsn: str) -> Config:
    return load(assignments=[f"database.url={dsn}"])


async def test_the_first_start_makes_two_users_with_passwords_that_work(
    config: Config, data: DataDirectory, database: Database
) -> None:
    prepared = await prepare(config, data, None, [])
    assert [user.address for user in prepared.users] == ["alice@example.test", "bob@example.test"]
    directory = Directory(database)
    for user in prepared.users:
        assert user.password is not None
        identity = await directory.authenticate(user.address, user.password, protocol="imap")
        assert identity is not None
        assert identity.address == user.address
    assert await directory.verify_token(prepared.admin_token) == "bootstrap"
    assert stat.S_IMODE(data.admin_token.stat().st_mode) == 0o600
    assert data.admin_token.read_text() == prepared.admin_token + "\n"
    await directory.close()


async def test_later_starts_change_nothing(config: Config, data: DataDirectory) -> None:
    first = await prepare(config, data, None, [])
    second = await prepare(config, data, None, [])
    assert second == Prepared(tuple(User(user.address, None) for user in first.users), first.admin_token)


async def test_named_users_instead_of_the_demo(config: Config, data: DataDirectory) -> None:
    prepared = await prepare(config, data, "example.org", ["Ann@Example.NET"])
    assert [user.address for user in prepared.users] == ["ann@example.net"]
    later = await prepare(config, data, "example.org", ["ann@example.net", "ben@example.org"])
    assert [user.address for user in later.users] == ["ben@example.org", "ann@example.net"]
    assert [user.password is None for user in later.users] == [False, True]


async def test_domains_get_a_dkim_key_once(config: Config, data: DataDirectory, database: Database) -> None:
    config = with_master_key(config, data)
    await prepare(config, data, "example.org", ["ann@example.net"])
    await prepare(config, data, "example.org", [])
    async with database.acquire() as connection:
        found = await connection.fetch(
            "SELECT d.name, k.state, k.key_size FROM dkim_key k JOIN domain d ON d.id = k.domain_id ORDER BY 1"
        )
    assert [tuple(row) for row in found] == [("example.net", "active", 2048), ("example.org", "active", 2048)]


async def test_a_domain_alone_gets_the_demo_users(config: Config, data: DataDirectory) -> None:
    prepared = await prepare(config, data, "example.org", [])
    assert [user.address for user in prepared.users] == ["alice@example.org", "bob@example.org"]


async def test_demo_users_are_made_only_when_they_are_wanted(config: Config, data: DataDirectory) -> None:
    prepared = await prepare(config, data, None, [], demo=False)
    assert prepared.users == ()
    assert data.admin_token.read_text().strip() == prepared.admin_token
    again = await prepare(config, data, "example.org", ["ann@example.org"], demo=False)
    assert [user.address for user in again.users] == ["ann@example.org"]


async def test_a_lost_token_is_replaced_and_the_old_one_is_void(
    config: Config, data: DataDirectory, database: Database
) -> None:
    old = (await prepare(config, data, None, [])).admin_token
    data.admin_token.unlink()
    new = (await prepare(config, data, None, [])).admin_token
    directory = Directory(database)
    assert await directory.verify_token(old) is None
    assert await directory.verify_token(new) == "bootstrap"
    await directory.close()


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c", "a@-bad-.example", "a b@example.org", "a\r\n@example.org"])
async def test_what_is_no_address_is_refused(config: Config, data: DataDirectory, address: str) -> None:
    with pytest.raises(AddressError):
        await prepare(config, data, None, [address])


def test_passwords_are_long_and_differ() -> None:
    made = {generate_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 19 for password in made)
