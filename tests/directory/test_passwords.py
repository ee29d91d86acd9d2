"""Password hashes: cost, bounds, forms."""

import asyncio
import statistics
import time

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.directory import DirectoryUnavailable, Passwords, WeakPassword
from mailraven.directory.passwords import MAXIMUM_OCTETS, prepare_password

QUICK = argon2.profiles.CHEAPEST


async def test_a_hash_verifies_its_password_only() -> None:
    passwords = Passwords(parameters=QUICK)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "Correct horse")
    assert not await passwords.verify(stored, "correct horse ")
    assert await passwords.hash("correct horse") != stored
    passwords.close()


@pytest.mark.parametrize(
    "bad", ["", "short12", "x" * 1025, "nul\0nul\0nul", "line\nline\nline", "ü" * 513, "\udcff" * 9]
)
async def test_what_cannot_be_a_password_is_neither_set_nor_verified(bad: str) -> None:
    passwords = Passwords(parameters=QUICK)
    with pytest.raises(WeakPassword):
        await passwords.hash(bad)
    stored = await passwords.hash("correct horse")
    assert not await passwords.verify(stored, bad)
    assert not await passwords.verify(None, bad)
    passwords.close()


async def test_composition_and_kinds_of_space_make_no_difference() -> None:
    passwords = Passwords(parameters=QUICK)
    stored = await passwords.hash("grüne\u00a0wiese")
    assert await passwords.verify(stored, "gru\u0308ne wiese")
    assert not await passwords.verify(stored, "GRÜNE wiese")
    passwords.close()


@given(st.text(st.characters(), max_size=60))
def test_preparing_is_stable_and_encodable(text: str) -> None:
    prepared = prepare_password(text)
    if prepared is not None:
        assert prepare_password(prepared) == prepared
        assert 0 < len(prepared.encode()) <= MAXIMUM_OCTETS


async def test_no_account_costs_as_much_as_a_wrong_password() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")

    async def cost(candidate: str | None, password: str) -> float:
        started = time.perf_counter()
        assert not await passwords.verify(candidate, password)
        return time.perf_counter() - started

    await cost(None, "first of all")
    known, unknown, empty = [], [], []
    for _ in range(7):
        known.append(await cost(stored, "wrong password"))
        unknown.append(await cost(None, "wrong password"))
        empty.append(await cost(stored, ""))
    passwords.close()
    usual = statistics.median(known)
    assert usual / 2 < statistics.median(unknown) < usual * 2
    assert usual / 2 < statistics.median(empty) < usual * 2


async def test_overload_is_refused_and_passes() -> None:
    passwords = Passwords(threads=1, waiting=3)
    results = await asyncio.gather(
        *(passwords.verify(None, "some password") for _ in range(10)), return_exceptions=True
    )
    assert [result for result in results if not isinstance(result, BaseException)] == [False] * 4
    assert sum(isinstance(result, DirectoryUnavailable) for result in results) == 6
    assert await passwords.verify(None, "some password") is False
    passwords.close()


async def test_callers_that_give_up_free_their_place() -> None:
    passwords = Passwords(threads=1, waiting=1, parameters=QUICK)
    for _ in range(20):
        task = asyncio.create_task(passwords.verify(None, "some password"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # The thread ends what it began; the place is free a moment later.
        async with asyncio.timeout(10):
            while passwords._pending:
                await asyncio.sleep(0.001)
    passwords.close()


async def test_a_hash_of_other_parameters_is_renewed() -> None:
    old, new = Passwords(parameters=QUICK), Passwords()
    stored = await old.hash("correct horse")
    renewed = await new.rehash(stored, "correct horse")
    assert renewed is not None
    assert await new.verify(renewed, "correct horse")
    assert await new.rehash(renewed, "correct horse") is None
    old.close()
    new.close()


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$broken", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_hash_that_cannot_be_read_verifies_nothing(stored: str) -> None:
    passwords = Passwords(parameters=QUICK)
    for password in ("", "some password", stored):
        assert not await passwords.verify(stored, password)
    passwords.close()
