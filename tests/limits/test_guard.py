"""The guard of accounts that were taken over: new recipients and bounces hold the queue, people let it go again."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from mailraven import queue
from mailraven.limits.guard import release_sending
from mailraven_api.settings import GuardSettings, LimitSettings

JANE = "jane@example.org"


async def enqueue(process, account: int, recipients: list[str], *, sender: str = JANE) -> None:
    """As submission does."""
    message = queue.NewMessage(
        account, account, 1, sender, tuple(queue.RemoteRecipient(one, one.partition("@")[2]) for one in recipients)
    )
    async with process.database.transaction() as connection:
        await queue.enqueue(connection, [message])
    process.gate.submitted(account, recipients)
    await process.gate.guard._look_quietly()


async def states(process) -> set[str]:
    async with process.database.acquire() as connection:
        return {row["state"] for row in await connection.fetch("SELECT DISTINCT state FROM queue_recipient")}


def strangers(number: int, first: int = 0) -> list[str]:
    return [f"somebody{one}@elsewhere.example" for one in range(first, first + number)]


@pytest.fixture
async def account(process) -> int:
    await process.set("guard", GuardSettings(new_recipients_per_day=20, bounce_minimum=5, bounce_percent=50))
    return int(await process.account())


async def held(process) -> object:
    return await process.fetchval("SELECT sending_held FROM account WHERE localpart = 'jane'")


async def test_many_new_recipients_hold_the_account(process, account: int) -> None:
    await enqueue(process, account, strangers(20))
    assert await held(process) is None
    with capture_logs() as logs:
        await enqueue(process, account, strangers(1, first=20))
    assert await held(process) == "21 new recipients in a day"
    assert await states(process) == {"held"}
    (line,) = [one for one in logs if one["event"] == "account_held"]
    assert (line["account"], line["log_level"]) == (JANE, "warning")
    audited = "SELECT count(*) FROM audit WHERE action = 'account.hold-sending' AND target = 'jane@example.org'"
    assert await process.fetchval(audited) == 1


async def test_what_comes_later_waits_too(process, account: int) -> None:
    await enqueue(process, account, strangers(30))
    await enqueue(process, account, ["friend@elsewhere.example"])
    assert await states(process) == {"held"}


async def test_known_recipients_are_not_new(process, account: int) -> None:
    sql = (
        "INSERT INTO known_recipient SELECT $1, 'somebody' || n || '@elsewhere.example', now() - interval '2 days'"
        " FROM generate_series(0, 99) n"
    )
    await process.execute(sql, account)
    await enqueue(process, account, [one.upper() for one in strangers(100)])
    assert await held(process) is None


async def test_it_counts_over_processes(start) -> None:
    first, second = await start(), await start()
    await first.set("guard", GuardSettings(new_recipients_per_day=20))
    await second.settings.load()
    account = await first.account()
    await enqueue(first, account, strangers(15))
    await enqueue(second, account, strangers(15, first=10))
    assert await held(first) == "25 new recipients in a day"


async def test_released_it_counts_anew(process, account: int) -> None:
    await enqueue(process, account, strangers(30))
    async with process.database.transaction() as connection:
        outcome = await release_sending(connection, account, "admin@example.org")
        assert outcome is not None
        assert outcome.changed == 30
    assert await states(process) == {"queued"}
    await enqueue(process, account, strangers(20, first=100))
    assert await held(process) is None
    await enqueue(process, account, strangers(5, first=200))
    assert await held(process) == "25 new recipients in a day"


async def test_nothing_held_nothing_released(process, account: int) -> None:
    async with process.database.transaction() as connection:
        assert await release_sending(connection, account, "admin@example.org") is None


@pytest.mark.parametrize(
    ("failed", "delivered", "sender", "reply", "expected"),
    [
        (10, 5, JANE, "550 5.1.1 unknown", "10 of 15 deliveries bounced in a day"),
        (9, 10, JANE, "550 5.1.1 unknown", None),  # less than half
        (4, 0, JANE, "550 5.1.1 unknown", None),  # too few to tell
        (10, 5, "stranger@elsewhere.example", "550 5.1.1 unknown", None),  # forwarded, not written
        (10, 5, JANE, "cancelled by admin@example.org", None),
    ],
)
async def test_bounces_hold_the_account(
    process,
    account: int,
    failed: int,
    delivered: int,
    sender: str,
    reply: str,
    expected: str | None,
) -> None:
    await enqueue(process, account, strangers(failed), sender=sender)
    await process.execute("UPDATE queue_recipient SET state = 'failed', last_reply = $1", reply)
    if delivered:
        await enqueue(process, account, [f"{one}@good.example" for one in range(delivered)], sender=sender)
        await process.execute("UPDATE queue_recipient SET state = 'delivered' WHERE state = 'queued'")
    await process.execute("UPDATE account SET sending_held = NULL")
    await process.gate.guard.look_at_bounces()
    assert await held(process) == expected


async def test_exempt_accounts_are_not_watched(process, account: int) -> None:
    await process.set("limits", LimitSettings(exempt_accounts=(JANE,)))
    await enqueue(process, account, strangers(50))
    assert await held(process) is None


async def test_it_can_be_switched_off(process, account: int) -> None:
    await process.set("guard", GuardSettings(enabled=False, new_recipients_per_day=1))
    await enqueue(process, account, strangers(50))
    assert await held(process) is None


async def test_an_account_that_is_gone_disturbs_nobody(process, account: int) -> None:
    process.gate.submitted(account + 1000, strangers(5))
    await enqueue(process, account, strangers(30))
    assert await held(process) == "30 new recipients in a day"


async def test_it_looks_by_itself_after_acceptance(process, account: int, eventually) -> None:
    process.gate.submitted(account, strangers(30))
    with capture_logs() as logs:
        await eventually(lambda: any(one["event"] == "account_held" for one in logs))
