"""Who signs in."""

import asyncio
import logging

import argon2
import pytest
from structlog.testing import capture_logs

from mailraven.db import Database
from mailraven.directory import Directory, DirectoryUnavailable, Identity, Passwords
from mailraven.directory.login import VERIFIED_SECONDS


@pytest.fixture
async def anna(directory: Directory) -> Identity:
    """anna@example.org, whose password is `correct horse`."""
    await directory.create_domain("example.org")
    account = await directory.create_account("anna@example.org", "correct horse", display_name="Anna A.")
    return Identity(account.id, "anna@example.org", "Anna A.")


class Counting(Passwords):
    """Counts what is really hashed."""

    verified = 0

    async def verify(self, stored: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(stored, password)


@pytest.mark.parametrize("login", ["anna@example.org", "ANNA@Example.ORG", '"anna"@example.org'])
async def test_the_login_is_the_address_in_any_case(directory: Directory, anna: Identity, login: str) -> None:
    assert await directory.authenticate(login, "correct horse") == anna
    assert await directory.authenticate(login, "correct horse") == anna


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("anna@example.org", "Correct horse"),
        ("anna@example.org", ""),
        ("anna@example.org", "correct horse\0"),
        ("anna@example.org", "x" * 5000),
        ("anna@example.org", "\udcff"),
        ("anna", "correct horse"),
        ("anna+tag@example.org", "correct horse"),
        ("nobody@example.org", "correct horse"),
        ("anna@elsewhere.example", "correct horse"),
        ("anna@example.org\0", "correct horse"),
        ("", ""),
        ("\udcff@example.org", "x"),
        ("x" * 100_000, "correct horse"),
    ],
)
async def test_everything_else_is_no(directory: Directory, anna: Identity, login: str, password: str) -> None:
    assert await directory.authenticate(login, password) is None


async def test_an_account_without_a_password_lets_nobody_in(directory: Directory, anna: Identity) -> None:
    await directory.create_account("ben@example.org", None)
    for password in ("", "a password that nobody has", "None"):
        assert await directory.authenticate("ben@example.org", password) is None


async def test_the_suspended_do_not_sign_in(directory: Directory, anna: Identity) -> None:
    assert await directory.authenticate(anna.address, "correct horse")
    await directory.set_suspended(anna.address, True)
    assert await directory.authenticate(anna.address, "correct horse") is None
    await directory.set_suspended(anna.address, False)
    await directory.set_domain_suspended("example.org", True)
    assert await directory.authenticate(anna.address, "correct horse") is None


async def test_a_verified_login_is_remembered_and_not_for_ever(database: Database, anna: Identity, clock) -> None:  # type: ignore[no-untyped-def]
    passwords = Counting(parameters=argon2.profiles.CHEAPEST)
    directory = Directory(database, passwords=passwords, clock=clock)
    for _ in range(5):
        assert await directory.authenticate(anna.address, "correct horse") == anna
    assert passwords.verified == 1
    for _ in range(2):
        assert await directory.authenticate(anna.address, "wrong horse") is None
    assert passwords.verified == 3
    clock.now += VERIFIED_SECONDS
    assert await directory.authenticate(anna.address, "correct horse") == anna
    assert passwords.verified == 4
    await directory.close()


async def test_connections_opened_at_once_cost_one_hash(database: Database, anna: Identity) -> None:
    passwords = Counting(parameters=argon2.profiles.CHEAPEST)
    directory = Directory(database, passwords=passwords)
    results = await asyncio.gather(*(directory.authenticate(anna.address, "correct horse") for _ in range(20)))
    assert results == [anna] * 20
    assert passwords.verified == 1
    await directory.close()


async def test_a_new_password_ends_the_old_one_in_other_processes_too(
    directory: Directory, other: Directory, anna: Identity
) -> None:
    assert await directory.authenticate(anna.address, "correct horse")
    assert await other.authenticate(anna.address, "correct horse")
    await directory.set_password(anna.address, "battery staple")
    assert await directory.authenticate(anna.address, "correct horse") is None
    assert await directory.authenticate(anna.address, "battery staple") == anna
    async with asyncio.timeout(10):
        while await other.authenticate(anna.address, "correct horse"):
            await asyncio.sleep(0.01)
    assert await other.authenticate(anna.address, "battery staple") == anna


async def test_a_lost_notification_only_delays(directory: Directory, anna: Identity, database: Database, clock) -> None:  # type: ignore[no-untyped-def]
    assert await directory.authenticate(anna.address, "correct horse")
    async with database.acquire() as connection:
        await connection.execute("UPDATE account SET suspended = true")
    assert await directory.authenticate(anna.address, "correct horse")
    clock.now += 60.0
    assert await directory.authenticate(anna.address, "correct horse") is None


async def test_an_outdated_hash_is_renewed_at_login(database: Database, anna: Identity) -> None:
    async def stored() -> str:
        async with database.acquire() as connection:
            return str(await connection.fetchval("SELECT password_hash FROM account"))

    old = await stored()
    directory = Directory(database)
    assert await directory.authenticate(anna.address, "wrong horse") is None
    assert await stored() == old
    assert await directory.authenticate(anna.address, "correct horse") == anna
    new = await stored()
    assert new != old
    assert "m=19456,t=2,p=1" in new
    assert await directory.authenticate(anna.address, "correct horse") == anna
    await directory.close()


async def test_a_database_that_is_away_is_not_a_wrong_password(
    directory: Directory, anna: Identity, database: Database
) -> None:
    await database._pool.close()
    with pytest.raises(DirectoryUnavailable):
        await directory.authenticate(anna.address, "correct horse")


async def test_no_password_is_logged(directory: Directory, anna: Identity, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        await directory.authenticate(anna.address, "correct horse")
        await directory.authenticate(anna.address, "wrong secret")
    assert "horse" not in f"{logs}{caplog.text}"
    assert "secret" not in f"{logs}{caplog.text}"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("anna@example.org", True),
        ("ANNA@EXAMPLE.org", True),
        ("anna+shop@example.org", True),
        ("info@example.org", True),
        ("INFO+x@example.org", True),
        ("all@example.org", True),
        ("ben@example.org", False),
        ("sales@example.org", False),
        ("nobody@example.org", False),
        ("postmaster@example.org", False),
        ("anna@elsewhere.example", False),
        ("anna", False),
        ("", False),
    ],
)
async def test_who_may_send_as_whom(directory: Directory, anna: Identity, address: str, allowed: bool) -> None:
    await directory.create_account("ben@example.org", None)
    await directory.create_alias("info@example.org", [anna.address])
    await directory.create_alias("all@example.org", ["info@example.org", "ben@example.org"])
    await directory.create_alias("sales@example.org", ["ben@example.org", "anna@elsewhere.example"])
    await directory.create_alias("*@example.org", [anna.address])
    assert await directory.may_send_as(anna.account_id, address) is allowed
