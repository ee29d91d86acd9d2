"""The second factor: enrolment, codes that count once, recovery codes."""

import asyncio
import os
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from mailraven.db import Database
from mailraven.directory import AlreadyEnrolled, Directory, DirectoryUnavailable, NoSuchAccount, NotEnrolled, WrongCode
from mailraven.directory.recovery import COUNT, count_recovery_codes, renew_recovery_codes
from mailraven.directory.totp import (
    Enrolment,
    begin_enrolment,
    confirm_enrolment,
    remove_second_factor,
    second_factor,
)
from mailraven.sealing import NoMasterKey, Sealer, SealingError, totp_purpose

NOW = 1_790_000_010.0  # ten seconds into a step


@pytest.fixture
def sealer() -> Sealer:
    return Sealer([os.urandom(32)])


@pytest.fixture
async def anna(directory: Directory) -> int:
    await directory.create_domain("example.org")
    return (await directory.create_account("anna@example.org", None)).id


async def begin(database: Database, sealer: Sealer, account: int) -> Enrolment:
    async with database.transaction() as connection:
        return await begin_enrolment(connection, sealer, account, "anna@example.org", issuer="mail.example.org")


async def confirm(database: Database, sealer: Sealer, account: int, code: str, now: float = NOW) -> tuple[str, ...]:
    async with database.transaction() as connection:
        return await confirm_enrolment(connection, sealer, account, code, now=now)


async def enrol(database: Database, sealer: Sealer, account: int) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    """Enrolled an hour before NOW."""
    authenticator = pyotp.TOTP((await begin(database, sealer, account)).secret)
    earlier = NOW - 3600
    return authenticator, await confirm(database, sealer, account, authenticator.at(int(earlier)), earlier)


async def version(database: Database) -> int:
    async with database.acquire() as connection:
        found: int = await connection.fetchval("SELECT credential_version FROM account")
    return found


async def test_enrolment(database: Database, sealer: Sealer, anna: int) -> None:
    enrolment = await begin(database, sealer, anna)
    uri = urlsplit(enrolment.uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/mail.example.org:anna@example.org"
    assert parse_qs(uri.query)["secret"] == [enrolment.secret]
    assert len(enrolment.secret) == 32
    code = pyotp.TOTP(enrolment.secret).at(int(NOW))
    assert not await second_factor(database, sealer, anna, code, now=NOW)  # not in force yet
    assert await version(database) == 1
    codes = await confirm(database, sealer, anna, f"{code[:3]} {code[3:]}")
    assert len(set(codes)) == COUNT
    assert await version(database) == 2
    assert not await second_factor(database, sealer, anna, code, now=NOW)  # the code of the enrolment is used up
    with pytest.raises(AlreadyEnrolled):
        await begin(database, sealer, anna)
    with pytest.raises(AlreadyEnrolled):
        await confirm(database, sealer, anna, code)


async def test_the_secret_and_the_codes_are_nowhere_in_the_database(database, sealer, anna) -> None:
    authenticator, codes = await enrol(database, sealer, anna)
    async with database.acquire() as connection:
        sealed = await connection.fetchval("SELECT totp_sealed FROM account")
        stored = await connection.fetchval("SELECT string_agg(encode(sha256, 'escape'), ',') FROM recovery_code")
    assert authenticator.secret.encode() not in sealed
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    with pytest.raises(SealingError):  # that of another account would not open
        sealer.open(totp_purpose(anna + 1), sealed)


async def test_an_enrolment_that_is_begun_anew_forgets_the_first(database, sealer, anna) -> None:
    first = pyotp.TOTP((await begin(database, sealer, anna)).secret)
    second = pyotp.TOTP((await begin(database, sealer, anna)).secret)
    with pytest.raises(WrongCode):
        await confirm(database, sealer, anna, first.at(int(NOW)))
    assert await version(database) == 1
    await confirm(database, sealer, anna, second.at(int(NOW)))


@pytest.mark.parametrize(("step", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False), (-120, False)])
async def test_a_clock_may_be_one_step_off(database, sealer, anna, step: int, counts: bool) -> None:
    authenticator, _ = await enrol(database, sealer, anna)
    code = authenticator.at(int(NOW) + 30 * step)
    assert await second_factor(database, sealer, anna, code, now=NOW) is counts


async def test_a_code_counts_once_and_no_older_one_after_it(database, sealer, anna) -> None:
    authenticator, _ = await enrol(database, sealer, anna)
    code, older, newer = (authenticator.at(int(NOW) + shift) for shift in (0, -30, 30))
    assert await second_factor(database, sealer, anna, code, now=NOW)
    assert not await second_factor(database, sealer, anna, code, now=NOW)
    assert not await second_factor(database, sealer, anna, code, now=NOW + 30)
    assert not await second_factor(database, sealer, anna, older, now=NOW)
    assert await second_factor(database, sealer, anna, newer, now=NOW)


async def test_of_many_that_use_one_code_at_once_one_gets_in(database, sealer, anna, dsn) -> None:
    other = await Database.connect(dsn)
    authenticator, codes = await enrol(database, sealer, anna)
    for code in (authenticator.at(int(NOW)), codes[0], codes[1].upper().replace("-", " ")):
        tries = (second_factor(where, sealer, anna, code, now=NOW) for where in (database, other) * 5)
        assert sorted(await asyncio.gather(*tries)) == [False] * 9 + [True]
    async with database.acquire() as connection:
        assert await count_recovery_codes(connection, anna) == COUNT - 2
    await other.close()


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "١٢٣٤٥٦", "abc\0def", "\udcff", "0" * 10_000, "aaaa-aaaa-aaaa-aaaa"]
)
async def test_anything_else_is_no_code(database, sealer, anna, code: str) -> None:
    await enrol(database, sealer, anna)
    assert not await second_factor(database, sealer, anna, code, now=NOW)


async def test_without_enrolment_nothing_is_a_second_factor(database, sealer, anna) -> None:
    async with database.transaction() as connection:
        code = (await renew_recovery_codes(connection, anna))[0]
    assert not await second_factor(database, sealer, anna, "000000")
    assert not await second_factor(database, sealer, anna, code)
    assert not await second_factor(database, sealer, anna + 1, "000000")
    with pytest.raises(NotEnrolled):
        await confirm(database, sealer, anna, "000000")
    for change in (begin(database, sealer, anna + 1), confirm(database, sealer, anna + 1, "000000")):
        with pytest.raises(NoSuchAccount):
            await change


async def test_removing_it_takes_the_recovery_codes_too(database, sealer, anna) -> None:
    authenticator, codes = await enrol(database, sealer, anna)
    async with database.transaction() as connection:
        assert await remove_second_factor(connection, anna)
        assert not await remove_second_factor(connection, anna)
        assert await count_recovery_codes(connection, anna) == 0
    assert await version(database) == 3
    assert not await second_factor(database, sealer, anna, authenticator.at(int(NOW)), now=NOW)
    assert not await second_factor(database, sealer, anna, codes[0], now=NOW)
    again, _ = await enrol(database, sealer, anna)
    assert await second_factor(database, sealer, anna, again.at(int(NOW)), now=NOW)


async def test_new_recovery_codes_end_the_old_ones(database, sealer, anna) -> None:
    _, old = await enrol(database, sealer, anna)
    async with database.transaction() as connection:
        new = await renew_recovery_codes(connection, anna)
    assert not await second_factor(database, sealer, anna, old[0])
    assert await second_factor(database, sealer, anna, new[0])


async def test_it_keeps_real_time(database, sealer, anna) -> None:
    authenticator, _ = await enrol(database, sealer, anna)
    assert await second_factor(database, sealer, anna, authenticator.at(int(time.time())))


async def test_without_a_master_key_nobody_enrols_and_nobody_gets_in(database, sealer, anna) -> None:
    with pytest.raises(NoMasterKey):
        await begin(database, Sealer([]), anna)
    authenticator, codes = await enrol(database, sealer, anna)
    with pytest.raises(NoMasterKey):
        await second_factor(database, Sealer([]), anna, authenticator.at(int(NOW)), now=NOW)
    assert await second_factor(database, Sealer([]), anna, codes[0], now=NOW)  # these need no key


async def test_a_database_that_is_away_is_not_a_wrong_code(database, sealer, anna) -> None:
    await database._pool.close()
    with pytest.raises(DirectoryUnavailable):
        await second_factor(database, sealer, anna, "123456")
