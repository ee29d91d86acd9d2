"""Failed log-ins: per address and per account, over all protocols and processes; the owner is not locked out."""

from __future__ import annotations

import asyncio

import pytest

from mailraven_api.settings import BanSettings

IP, ELSEWHERE, JANE = "192.0.2.7", "198.51.100.1", "jane@example.org"


async def guess(process, ip: str = IP, login: str = JANE, *, protocol: str = "imap") -> bool:
    """Whether the (wrong) password was looked at."""
    decision = await process.gate.login_allowed(ip, login)
    if decision.allowed:
        await process.gate.login_failed(ip, login, protocol)
    return bool(decision.allowed)


async def sign_in(process, ip: str = IP, login: str = JANE) -> bool:
    decision = await process.gate.login_allowed(ip, login)
    if decision.allowed:
        await process.gate.login_succeeded(ip, login, "imap")
    return bool(decision.allowed)


async def test_five_wrong_passwords_and_then_none_is_looked_at(process) -> None:
    await process.account()
    tried = [await guess(process, protocol=protocol) for protocol in ("imap", "smtp", "http", "imap", "smtp", "imap")]
    assert tried == [True] * 5 + [False]
    assert not await sign_in(process)
    decision = await process.gate.login_allowed(IP, "john@example.org")
    assert not decision.allowed
    assert decision.text.startswith("The limit of 5 failed log-ins in 15 minutes from one address is reached")
    assert await sign_in(process, ELSEWHERE)


async def test_guesses_at_once_over_processes_are_no_more(start) -> None:
    processes = [await start() for _ in range(4)]
    await processes[0].account()
    await processes[0].set("bans", BanSettings(enabled=False))
    looked_at = 0

    async def attack(process) -> None:
        nonlocal looked_at
        decision = await process.gate.login_allowed(IP, JANE)
        if decision.allowed:
            looked_at += 1
            await asyncio.sleep(0.05)  # the hash
            await process.gate.login_failed(IP, JANE, "imap")

    await asyncio.gather(*(attack(processes[number % 4]) for number in range(60)))
    assert looked_at == 5


async def test_many_right_passwords_at_once_all_get_in(start) -> None:
    processes = [await start() for _ in range(2)]
    users = [f"user{number}@example.org" for number in range(30)]
    for user in users:
        await processes[0].account(user)

    async def morning(process, login: str) -> bool:
        decision = await process.gate.login_allowed(IP, login)
        if decision.allowed:
            await asyncio.sleep(0.02)
            await process.gate.login_succeeded(IP, login, "imap")
        return bool(decision.allowed)

    assert all(await asyncio.gather(*(morning(processes[n % 2], user) for n, user in enumerate(users))))
    for process in processes:
        await process.gate.counters.give_back(0)
    used = await processes[0].fetchval(
        "SELECT coalesce(sum(used), 0)::int FROM limit_counter WHERE event = 'auth_failures'"
    )
    assert used == 0


async def test_right_passwords_do_not_wash_away_wrong_ones(process) -> None:
    await process.account()
    await process.account("mallory@example.org")
    for _ in range(5):
        assert await sign_in(process, login="mallory@example.org")
        assert await guess(process)
    assert not await guess(process)


async def test_an_account_is_guessed_from_many_addresses(process) -> None:
    await process.account()
    tried = [await guess(process, f"203.0.113.{number}") for number in range(25)]
    assert tried == [True] * 20 + [False] * 5
    assert not await sign_in(process, "203.0.113.200")
    assert process.gate.banned("203.0.113.24") is None


async def test_the_owner_gets_in_from_where_he_was_lately(start) -> None:
    first, second = await start(), await start()
    await first.account()
    assert await sign_in(first, ELSEWHERE)
    for number in range(25):
        await guess(first, f"203.0.113.{number}")
    assert await sign_in(first, ELSEWHERE)
    assert await sign_in(second, ELSEWHERE)  # another process learns it from the table
    assert not await sign_in(second, "203.0.113.200")


async def test_he_does_not_get_around_the_limit_of_his_address(process) -> None:
    await process.account()
    assert await sign_in(process)
    for _ in range(5):
        assert await guess(process)
    assert not await sign_in(process)


async def test_another_name_of_the_domain_is_the_same_account(process) -> None:
    await process.account()
    sql = "INSERT INTO domain_alias (name, domain_id) SELECT 'example.net', id FROM domain WHERE name = 'example.org'"
    await process.execute(sql)
    for number in range(20):
        name = ("jane@example.org", "JANE@example.net", "Jane@Example.ORG")[number % 3]
        assert await guess(process, f"203.0.113.{number}", name)
    assert not await guess(process, "203.0.113.100", "jane@example.net")


@pytest.mark.parametrize("login", ["nobody@example.org", "nobody@elsewhere.example", "no address", ""])
async def test_unknown_names_are_treated_the_same(process, login: str) -> None:
    await process.account()
    assert [await guess(process, login=login) for _ in range(6)] == [True] * 5 + [False]


async def test_an_attempt_that_could_not_be_decided_is_given_back(process) -> None:
    await process.account()
    for _ in range(10):
        assert (await process.gate.login_allowed(IP, JANE)).allowed
        process.gate.login_undecided(IP, JANE)


async def test_an_attempt_that_nobody_settles_is_given_back(start) -> None:
    now = [0.0]
    process = await start(clock=lambda: now[0])
    await process.account()
    for _ in range(5):
        assert (await process.gate.login_allowed(IP, JANE)).allowed
    now[0] = 61.0
    process.gate._attempts.expire()
    assert await sign_in(process)


async def test_exempt_addresses_are_limited_by_account_only(process) -> None:
    await process.account()
    assert [await guess(process, "127.0.0.1") for _ in range(21)] == [True] * 20 + [False]
    assert await guess(process, "127.0.0.1", "john@example.org")


async def test_ten_guesses_end_in_a_ban(process) -> None:
    await process.account()
    for _ in range(10):
        await guess(process)
    assert process.gate.banned(IP)
    decision = await process.gate.login_allowed(IP, JANE)
    assert decision.ban is not None
