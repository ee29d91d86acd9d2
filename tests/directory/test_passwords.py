"""Password hashes: cost, bounds, forms."""

import asyncio
import contextlib
import statistics
import time

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.app.first_start import generate_password
from mailraven.directory import DirectoryUnavailable, InvalidValue, Passwords, WeakPassword
from mailraven.directory.password_policy import check_hash, check_password
from mailraven.directory.passwords import MAXIMUM_OCTETS, prepare_password
from mailraven_api.settings import PasswordSettings

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


@pytest.mark.parametrize(
    "password",
    [
        "password1234",  # everybody's first
        "qwertyuiop12",
        "anna.example",
        "Anna.Meier99",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "1234567890123456789012345678901234567890",
        "p4$$w0rd1234",
        "x7" * 40,
    ],
)
async def test_what_is_guessed_first_is_refused_with_advice(password: str) -> None:
    passwords = Passwords(parameters=QUICK)
    with pytest.raises(WeakPassword, match="word"):
        await passwords.hash_new(password, inputs=("anna.meier@example.org", "Anna Meier"))
    passwords.close()


@pytest.mark.parametrize(
    "password",
    ["correct horse", "tr0ub4dor&3", "grüne Wiese am Bach", "蜂蜜と林檎と海の風を", "x" * 60 + "kaolin parrot"],
)
async def test_good_passwords_pass(password: str) -> None:
    passwords = Passwords(parameters=QUICK)
    stored = await passwords.hash_new(password, inputs=("anna.meier@example.org", ""))
    assert await passwords.verify(stored, password)
    passwords.close()


async def test_made_passwords_pass_the_strictest_policy() -> None:
    strictest = PasswordSettings(min_length=16, admin_min_length=16, min_strength=4)
    passwords = Passwords(parameters=QUICK, policy=lambda: strictest)
    for _ in range(20):
        await passwords.hash_new(generate_password(), admin=True)
    passwords.close()


async def test_the_policy_is_that_of_the_moment_and_admins_have_their_own() -> None:
    current = PasswordSettings(min_length=10, admin_min_length=14)
    passwords = Passwords(parameters=QUICK, policy=lambda: current)
    with pytest.raises(WeakPassword, match="at least 10"):
        await passwords.hash_new("kaolin 7x")
    await passwords.hash_new("kaolin parr7")
    with pytest.raises(WeakPassword, match="admin's password has at least 14"):
        await passwords.hash_new("kaolin parr7", admin=True)
    current = PasswordSettings(min_length=20, admin_min_length=8)
    with pytest.raises(WeakPassword, match="at least 20"):
        await passwords.hash_new("kaolin parrot", admin=True)
    current = PasswordSettings(reject_common=False, min_strength=0)
    await passwords.hash_new("password1")
    current = PasswordSettings(reject_common=False, min_strength=1)
    await passwords.hash_new("password1xx")
    current = PasswordSettings(reject_common=True, min_strength=0)
    with pytest.raises(WeakPassword):
        await passwords.hash_new("password1")
    passwords.close()


LOOK_ALIKES = "4@8({[<3691!|0$5+7%2"


@pytest.mark.parametrize("password", [LOOK_ALIKES * 50, (LOOK_ALIKES + "abcdefghijkl") * 30, "(1" * 500, "ab" * 512])
async def test_no_password_takes_long_to_judge(password: str) -> None:
    check_password("warm up the lists", PasswordSettings(), admin=False)
    started = time.thread_time()
    with contextlib.suppress(WeakPassword):
        check_password(password, PasswordSettings(min_strength=4), inputs=(password, password[::-1]), admin=True)
    assert time.thread_time() - started < 0.5


async def test_threads_do_not_mix_up_whose_name_is_whose() -> None:
    passwords = Passwords(
        threads=4, parameters=QUICK, policy=lambda: PasswordSettings(reject_common=False, min_strength=3)
    )
    # Weak only for who is called so; the estimator itself keeps such words in a dictionary of the whole process.
    names = ["qx7vtrmbgl", "zphrk2mqtw", "w9blsktndr", "mrzpn4fjrd"]

    async def weak(password: str, name: str) -> bool:
        try:
            await passwords.hash_new(password, inputs=(name,))
        except WeakPassword:
            return True
        return False

    pairs = [(password, name) for password in names for name in names] * 5
    assert await asyncio.gather(*(weak(*pair) for pair in pairs)) == [password == name for password, name in pairs]
    passwords.close()


PHC = "$argon2id$v=19$m=19456,t=2,p=1$"


async def test_a_hash_from_elsewhere_is_taken_as_it_is() -> None:
    passwords = Passwords()
    for memory, passes, lanes in ((19456, 2, 1), (65536, 1, 4), (8, 1, 1)):
        made = argon2.PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes).hash("an old password")
        assert await passwords.accept_hash(made) == made
        assert await passwords.verify(made, "an old password")
    passwords.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correct horse",
        "{SSHA}abc",
        "$2b$12$" + "a" * 53,
        argon2.PasswordHasher(type=argon2.Type.I, memory_cost=8, time_cost=1, parallelism=1).hash("password"),
        argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash(""),
        argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1, hash_len=8).hash("password"),
        f"{PHC}c29tZXNhbHRzb21lc2FsdA",
        f"{PHC}c29tZXNhbHRzb21lc2FsdA$",
        f"{PHC}!!!!$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        f"{PHC}YQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=19456,t=1000000,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=99999999999999999999,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=-8,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0",
        "$argon2id$v=19$m=19456,t=2,p=1$ü$ü",
        "$argon2id$" + "x" * 10_000,
    ],
    ids=lambda text: text[:24].encode().hex(),  # hashes differ from run to run: their beginning does not
)
async def test_what_is_no_hash_of_ours_is_refused(text: str) -> None:
    passwords = Passwords(parameters=QUICK)
    with pytest.raises(InvalidValue):
        await passwords.accept_hash(text)
    passwords.close()


_SOME = st.one_of(st.text(st.characters(codec="utf-8"), max_size=120), st.text("0123456789-/. ", max_size=120))


@given(_SOME, st.lists(_SOME, max_size=3), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_text_is_judged(password: str, inputs: list[str], admin: bool) -> None:
    with contextlib.suppress(WeakPassword):
        check_password(password, PasswordSettings(min_strength=4), inputs=inputs, admin=admin)


_PHC_LIKE = r"\A\$argon2id\$v=19\$m=[0-9]{1,6},t=[0-9]{1,3},p=[0-9]{1,3}\$[A-Za-z0-9+/=]{0,40}\$[A-Za-z0-9+/=]{0,60}\Z"


@given(st.one_of(st.text(max_size=80), st.from_regex(_PHC_LIKE)))
@settings(max_examples=100, deadline=None)
def test_any_hash_is_judged(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        check_hash(text)
