"""Who signs in."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import argon2
import pytest
from structlog.testing import capture_logs

from mailraven.db import Database
from mailraven.directory import Directory, DirectoryUnavailable, Identity, Passwords
from mailraven.directory.app_passwords import create_app_password, delete_app_password
from mailraven.directory.domain_specs import read_domain
from mailraven.directory.login import VERIFIED_SECONDS
from mailraven.directory.totp import must_enrol, needs_second_factor


@pytest.fixture
async def anna(directory: Directory) -> Identity:
    """anna@example.org, whose password is `correct horse`."""
    domain = await directory.create_domain("example.org")
    account = await directory.create_account("anna@example.org", "correct horse", display_name="Anna A.")
    return Identity(account.id, "anna@example.org", "Anna A.", domain.id)


class Counting(Passwords):
    """Counts what is really hashed."""

    verified = 0

    async def verify(self, stored: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(stored, password)


@pytest.mark.parametrize("login", ["anna@example.org", "ANNA@Example.ORG", '"anna"@example.org'])
async def test_the_login_is_the_address_in_any_case(directory: Directory, anna: Identity, login: str) -> None:
    assert await directory.authenticate(login, "correct horse", protocol="imap") == anna
    assert await directory.authenticate(login, "correct horse", protocol="imap") == anna


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
    assert await directory.authenticate(login, password, protocol="imap") is None


async def test_an_account_without_a_password_lets_nobody_in(directory: Directory, anna: Identity) -> None:
    await directory.create_account("ben@example.org", None)
    for password in ("", "a password that nobody has", "None"):
        assert await directory.authenticate("ben@example.org", password, protocol="imap") is None


async def test_the_suspended_do_not_sign_in(directory: Directory, anna: Identity) -> None:
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap")
    await directory.set_suspended(anna.address, True)
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") is None
    await directory.set_suspended(anna.address, False)
    await directory.set_domain_suspended("example.org", True)
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") is None


async def test_a_verified_login_is_remembered_and_not_for_ever(database: Database, anna: Identity, clock) -> None:
    passwords = Counting(parameters=argon2.profiles.CHEAPEST)
    directory = Directory(database, passwords=passwords, clock=clock)
    for _ in range(5):
        assert await directory.authenticate(anna.address, "correct horse", protocol="imap") == anna
    assert passwords.verified == 1
    for _ in range(2):
        assert await directory.authenticate(anna.address, "wrong horse", protocol="imap") is None
    assert passwords.verified == 3
    clock.now += VERIFIED_SECONDS
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") == anna
    assert passwords.verified == 4
    await directory.close()


async def test_connections_opened_at_once_cost_one_hash(database: Database, anna: Identity) -> None:
    passwords = Counting(parameters=argon2.profiles.CHEAPEST)
    directory = Directory(database, passwords=passwords)
    logins = (directory.authenticate(anna.address, "correct horse", protocol="imap") for _ in range(20))
    results = await asyncio.gather(*logins)
    assert results == [anna] * 20
    assert passwords.verified == 1
    await directory.close()


async def test_a_new_password_ends_the_old_one_in_other_processes_too(
    directory: Directory, other: Directory, anna: Identity
) -> None:
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap")
    assert await other.authenticate(anna.address, "correct horse", protocol="imap")
    await directory.set_password(anna.address, "battery staple")
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") is None
    changed = replace(anna, credential_version=2)
    assert await directory.authenticate(anna.address, "battery staple", protocol="imap") == changed
    async with asyncio.timeout(10):
        while await other.authenticate(anna.address, "correct horse", protocol="imap"):
            await asyncio.sleep(0.01)
    assert await other.authenticate(anna.address, "battery staple", protocol="imap") == changed


async def test_a_lost_notification_only_delays(deaf: Directory, anna: Identity, database: Database, clock) -> None:
    assert await deaf.authenticate(anna.address, "correct horse", protocol="imap")
    async with database.acquire() as connection:
        await connection.execute("UPDATE account SET suspended = true")
    assert await deaf.authenticate(anna.address, "correct horse", protocol="imap")
    clock.now += 20.0
    assert await deaf.authenticate(anna.address, "correct horse", protocol="imap") is None


async def test_an_outdated_hash_is_renewed_at_login(database: Database, anna: Identity) -> None:
    async def stored() -> str:
        async with database.acquire() as connection:
            return str(await connection.fetchval("SELECT password_hash FROM account"))

    old = await stored()
    directory = Directory(database)
    assert await directory.authenticate(anna.address, "wrong horse", protocol="imap") is None
    assert await stored() == old
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") == anna
    new = await stored()
    assert new != old
    assert "m=19456,t=2,p=1" in new
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") == anna
    await directory.close()


async def test_a_database_that_is_away_is_not_a_wrong_password(
    directory: Directory, anna: Identity, database: Database
) -> None:
    await database._pool.close()
    with pytest.raises(DirectoryUnavailable):
        await directory.authenticate(anna.address, "correct horse", protocol="imap")


async def test_no_password_is_logged(directory: Directory, anna: Identity, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        await directory.authenticate(anna.address, "correct horse", protocol="imap")
        await directory.authenticate(anna.address, "wrong secret", protocol="imap")
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


async def _set(database: Database, assignment: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(f"UPDATE account SET {assignment}")


async def _app_password(database: Database, who: Identity, **options: object) -> str:
    async with database.acquire() as connection:
        return (await create_app_password(connection, who.account_id, "phone", **options))[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "form", [str, str.upper, lambda text: text.replace("-", ""), lambda text: text.replace("-", " ")]
)
async def test_an_app_password_opens_mail_and_never_the_web(deaf, anna, database, form) -> None:
    secret = form(await _app_password(database, anna))
    for protocol in ("smtp", "imap"):
        identity = await deaf.authenticate(anna.address, secret, protocol=protocol)
        assert identity == replace(anna, app_password=identity.app_password)
        assert identity.app_password is not None
    assert await deaf.authenticate(anna.address, secret, protocol="http") is None
    assert await deaf.authenticate("nobody@example.org", secret, protocol="imap") is None
    assert await deaf.authenticate(anna.address, secret[:-1], protocol="imap") is None


async def test_an_app_password_is_for_its_protocols_and_its_time(deaf, anna, database, clock) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=15)
    secret = await _app_password(database, anna, protocols=["imap"], expires_at=expires)
    identity = await deaf.authenticate(anna.address, secret, protocol="imap")
    assert identity
    assert await deaf.authenticate(anna.address, secret, protocol="smtp") is None
    assert await deaf.still_valid(identity, "imap")
    clock.now += 15  # the row is still remembered; it knows when the password ends
    assert await deaf.authenticate(anna.address, secret, protocol="imap") is None
    assert not await deaf.still_valid(identity, "imap")


async def test_an_app_password_of_another_account_opens_nothing(directory, anna, database) -> None:
    await directory.create_account("ben@example.org", None)
    secret = await _app_password(database, anna)
    assert await directory.authenticate("ben@example.org", secret, protocol="imap") is None


async def test_with_a_second_factor_the_password_opens_the_web_alone(deaf, anna, database) -> None:
    await _set(database, "totp_confirmed_at = now()")
    for protocol in ("smtp", "imap"):
        assert await deaf.authenticate(anna.address, "correct horse", protocol=protocol) is None
    identity = await deaf.authenticate(anna.address, "correct horse", protocol="http")
    assert identity == replace(anna, totp=True)
    assert needs_second_factor(identity)
    assert not must_enrol(identity)
    secret = await _app_password(database, anna)
    deaf.invalidate()
    assert await deaf.authenticate(anna.address, secret, protocol="imap")


@pytest.mark.parametrize("spec", [{}, {"security": {"auth": {"totp_enforced": False}}}, {"security": {"auth": {}}}])
@pytest.mark.parametrize("template", [{}, {"security": {"auth": {"totp_enforced": True}}}, {"security": {"dkim": {}}}])
async def test_a_domain_may_demand_a_second_factor(deaf, anna, database, spec, template) -> None:
    async with database.acquire() as connection:
        await connection.execute("UPDATE domain SET spec = $1, template = $2", json.dumps(spec), json.dumps(template))
        effective = (await read_domain(connection, "example.org")).effective
    demanded = effective.security.auth.totp_enforced
    identity = await deaf.authenticate(anna.address, "correct horse", protocol="http")
    assert identity == replace(anna, totp_enforced=demanded)
    assert must_enrol(identity) is demanded
    assert not needs_second_factor(identity)
    assert (await deaf.authenticate(anna.address, "correct horse", protocol="imap") is None) is demanded


@pytest.mark.parametrize("disabled", ["smtp", "imap", "http"])
async def test_a_disabled_protocol_lets_nobody_in(deaf, anna, database, disabled) -> None:
    await _set(database, f"disabled = '{{{disabled}}}'")
    secret = await _app_password(database, anna)
    for protocol in ("smtp", "imap", "http"):
        found = await deaf.authenticate(anna.address, "correct horse", protocol=protocol)
        assert (found is None) is (protocol == disabled)
        assert protocol != disabled or await deaf.authenticate(anna.address, secret, protocol=protocol) is None


async def test_the_login_may_have_another_name_of_the_domain(deaf, anna, database) -> None:
    async with database.acquire() as connection:
        await connection.execute("INSERT INTO domain_alias (name, domain_id) SELECT 'example.net', id FROM domain")
    identity = await deaf.authenticate("Anna@example.net", "correct horse", protocol="imap")
    assert identity == anna
    assert await deaf.still_valid(identity, "imap")


REFUSALS = {
    "unknown": ("nobody@example.org", "imap", "display_name = ''"),
    "no address": ("nobody", "imap", "display_name = ''"),
    "suspended": ("anna@example.org", "imap", "suspended = true"),
    "disabled": ("anna@example.org", "imap", "disabled = '{imap}'"),
    "second factor": ("anna@example.org", "smtp", "totp_confirmed_at = now()"),
    "no password": ("anna@example.org", "imap", "password_hash = NULL"),
}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("given", ["right", "wrong", "app password"])
async def test_every_refusal_costs_one_hash(database: Database, anna: Identity, kind: str, given: str) -> None:
    login, protocol, assignment = REFUSALS[kind]
    passwords = Counting(parameters=argon2.profiles.CHEAPEST)
    directory = Directory(database, passwords=passwords)
    app_password = await _app_password(database, anna)
    password = {"right": "correct horse", "wrong": "wrong horse", "app password": app_password}[given]
    # Somebody has just signed in with it elsewhere: that must not show here.
    assert await directory.authenticate(anna.address, "correct horse", protocol="http")
    await _set(database, assignment)
    directory.invalidate()
    opens = given == "app password" and kind in ("second factor", "no password")
    for _ in range(3):
        before = passwords.verified
        found = await directory.authenticate(login, password, protocol=protocol)  # type: ignore[arg-type]
        assert (found is not None) is opens
        assert passwords.verified == before + (0 if opens else 1)
    await directory.close()


async def test_a_hash_is_not_renewed_for_who_is_not_let_in(database: Database, anna: Identity) -> None:
    await _set(database, "suspended = true")
    passwords = Counting()
    directory = Directory(database, passwords=passwords)
    assert await directory.authenticate(anna.address, "correct horse", protocol="imap") is None
    async with database.acquire() as connection:
        assert "m=8," in await connection.fetchval("SELECT password_hash FROM account")
    await directory.close()


CHANGES = {
    "password": "password_hash = 'x', credential_version = credential_version + 1",
    "suspended": "suspended = true",
    "disabled": "disabled = '{imap,smtp}'",
    "second factor": "totp_confirmed_at = now()",
    "all sessions ended": "credential_version = credential_version + 1",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_sessions_of_before_a_change_end(deaf, anna, database, clock, change) -> None:
    identity = await deaf.authenticate(anna.address, "correct horse", protocol="imap")
    assert await deaf.still_valid(identity, "imap")
    assert await deaf.ended([identity], "imap") == set()
    await _set(database, CHANGES[change])
    assert await deaf.ended([identity], "imap") == {identity}
    assert await deaf.still_valid(identity, "imap")  # no notification came
    clock.now += 20
    assert not await deaf.still_valid(identity, "imap")


async def test_sessions_end_with_the_account_the_domain_and_its_demand(deaf, directory, anna, database) -> None:
    identity = await deaf.authenticate(anna.address, "correct horse", protocol="imap")
    deaf.invalidate()
    async with database.acquire() as connection:
        entry, secret = await create_app_password(connection, anna.account_id, "laptop")
    with_app_password = await deaf.authenticate(anna.address, secret, protocol="imap")
    both = [identity, with_app_password]
    async with database.acquire() as connection:
        await connection.execute("""UPDATE domain SET spec = '{"security": {"auth": {"totp_enforced": true}}}'""")
        assert await deaf.ended(both, "imap") == {identity}
        await delete_app_password(connection, anna.account_id, entry.id)
        assert await deaf.ended(both, "imap") == set(both)
        await connection.execute("UPDATE domain SET spec = '{}'")
        assert await deaf.ended(both, "imap") == {with_app_password}
    await directory.set_domain_suspended("example.org", True)
    assert await deaf.ended([identity], "imap") == {identity}
    await directory.set_domain_suspended("example.org", False)
    await directory.delete_account(anna.address)
    assert await deaf.ended([identity], "imap") == {identity}
    deaf.invalidate()
    assert not await deaf.still_valid(identity, "imap")


async def test_many_sessions_are_asked_for_at_once(deaf, directory, anna, database, monkeypatch) -> None:
    monkeypatch.setattr("mailraven.directory.login._BATCH", 2)
    for name in ("ben", "cleo", "dora", "emil"):
        await directory.create_account(f"{name}@example.org", "correct horse")
    who = [
        await deaf.authenticate(f"{name}@example.org", "correct horse", protocol="imap")
        for name in ("anna", "ben", "cleo", "dora", "emil")
    ]
    await directory.set_suspended("ben@example.org", True)
    await directory.set_suspended("emil@example.org", True)
    assert await deaf.ended(who, "imap") == {who[1], who[4]}


async def test_the_own_password_is_asked_of_the_database(deaf, anna, database) -> None:
    assert await deaf.is_password(anna.account_id, "correct horse")
    assert not await deaf.is_password(anna.account_id, "wrong horse")
    assert not await deaf.is_password(anna.account_id + 1, "correct horse")
    await _set(database, "password_hash = NULL")
    assert not await deaf.is_password(anna.account_id, "correct horse")


async def test_sessions_are_not_judged_while_the_database_is_away(deaf, anna, database, clock) -> None:
    identity = await deaf.authenticate(anna.address, "correct horse", protocol="imap")
    await deaf._database._pool.close()
    assert await deaf.still_valid(identity, "imap")
    clock.now += 20
    with pytest.raises(DirectoryUnavailable):
        await deaf.still_valid(identity, "imap")
    with pytest.raises(DirectoryUnavailable):
        await deaf.ended([identity], "imap")
