"""Hold, release, retry, cancel and the list of the queue, against a real Postgres and beside working claims."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from mailraven import queue
from mailraven.db import Database
from mailraven.directory import changes
from mailraven.queue import Action, Filter, NewMessage, RemoteRecipient, Room, State, Transition, listing

ROOM = Room(recipients=1000, transactions=1000, per_domain=1000, busy={})


def message(*recipients: str, account: int = 1, return_path: str = "sender@ours.test") -> NewMessage:
    remote = tuple(RemoteRecipient(r, r.rpartition("@")[2]) for r in recipients)
    return NewMessage(account, account, 7, return_path, remote, trace_id="t")


async def put(database: Database, *messages: NewMessage) -> list[int]:
    async with database.transaction() as connection:
        return await queue.enqueue(connection, messages)


async def act(database: Database, action: Action, chosen: Filter | None = None, **options) -> queue.Outcome:
    async with database.transaction() as connection:
        return await queue.apply(connection, action, chosen or Filter(), by="root@ours.test", **options)


async def take(database: Database, token: str = "w1", room: Room = ROOM) -> list[queue.Claim]:
    async with database.acquire() as connection:
        return await queue.claim(connection, token, room, 60)


async def settle(database: Database, claim: queue.Claim, state: State) -> None:
    due = datetime.now(UTC) + timedelta(hours=1) if state is State.DEFERRED else None
    async with database.transaction() as connection:
        await queue.settle(
            connection, claim, [Transition(r, state, "4.0.0", "later", due_at=due) for r in claim.recipients]
        )


async def rows(database: Database) -> dict[str, asyncpg.Record]:
    async with database.acquire() as connection:
        return {r["recipient"]: r for r in await connection.fetch("SELECT * FROM queue_recipient")}


async def states(database: Database) -> dict[str, str]:
    return {recipient: row["state"] for recipient, row in (await rows(database)).items()}


@pytest.fixture
async def account(database: Database) -> int:
    async with database.transaction() as connection:
        await changes.create_domain(connection, "ours.test")
        return (await changes.create_account(connection, "sender@ours.test", None)).id


async def test_what_is_held_is_not_claimed_and_comes_back_as_it_was(database: Database):
    await put(database, message("a@x.test", "b@y.test"))
    (first, second) = await take(database)
    await settle(database, first, State.DEFERRED)
    async with database.acquire() as connection:
        await queue.release(connection, [second])
    assert await act(database, Action.HOLD) == queue.Outcome(changed=2)
    assert await states(database) == {"a@x.test": "held", "b@y.test": "held"}
    assert await take(database) == []
    async with database.acquire() as connection:
        assert await queue.next_due(connection) is None
        assert (await queue.depth(connection)).counts["held"] == 2
    assert await act(database, Action.RELEASE) == queue.Outcome(changed=2)
    assert await states(database) == {"a@x.test": "deferred", "b@y.test": "queued"}
    assert [claim.domain for claim in await take(database)] == ["y.test"]  # the other one is due in an hour


async def test_the_time_to_expiry_stands_still_while_held(database: Database):
    await put(database, message("a@x.test"))
    async with database.acquire() as connection:
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '10 d'")
    await act(database, Action.HOLD)
    async with database.acquire() as connection:
        await connection.execute("UPDATE queue_recipient SET held_at = now() - interval '9 d'")
    await act(database, Action.RELEASE)
    (claim,) = await take(database)
    (recipient,) = claim.recipients
    assert recipient.clock_from is not None
    assert timedelta(hours=23) < datetime.now(UTC) - recipient.clock_from < timedelta(hours=25)
    async with database.acquire() as connection:
        await queue.release(connection, [claim])
    await act(database, Action.HOLD)  # a second time: both count
    async with database.acquire() as connection:
        await connection.execute("UPDATE queue_recipient SET held_at = now() - interval '12 h'")
    await act(database, Action.RELEASE)
    (claim,) = await take(database)
    again = claim.recipients[0].clock_from
    assert again is not None
    assert timedelta(hours=11) < datetime.now(UTC) - again < timedelta(hours=13)


async def test_what_is_being_attempted_is_not_touched_but_counted(database: Database):
    await put(database, message("a@x.test", "b@y.test", "c@z.test"))
    (claim, *_) = await take(database, room=replace(ROOM, transactions=1))
    for action in (Action.HOLD, Action.RETRY):
        outcome = await act(database, action)
        assert outcome == queue.Outcome(changed=2, attempting=1), action
        await act(database, Action.RELEASE)
    assert await act(database, Action.CANCEL) == queue.Outcome(changed=2, attempting=1)
    assert Counter((await states(database)).values()) == {"attempting": 1, "failed": 2}
    await settle(database, claim, State.DELIVERED)  # its lease was not harmed
    assert Counter((await states(database)).values()) == {"delivered": 1, "failed": 2}


async def test_cancel_without_a_notification_is_final_and_says_who(database: Database):
    (message_id,) = await put(database, message("a@x.test", "b@y.test"))
    await act(database, Action.HOLD, Filter(domain="y.test"))
    assert await act(database, Action.CANCEL, Filter(message=message_id)) == queue.Outcome(changed=2)
    for row in (await rows(database)).values():
        assert (row["state"], row["last_reply"], row["held_from"]) == ("failed", "cancelled by root@ours.test", None)
    assert await take(database) == []
    assert await act(database, Action.CANCEL, Filter(message=message_id)) == queue.Outcome(unchanged=2)
    assert not queue.wakes(Action.CANCEL, queue.Outcome(changed=2))


async def test_cancel_with_a_notification_goes_through_a_worker_also_when_the_account_is_held(
    database: Database, account: int
):
    await put(database, message("a@x.test", account=account))
    async with database.transaction() as connection:
        await queue.hold_account(connection, account, "too many")
    outcome = await act(database, Action.CANCEL_WITH_DSN)
    assert outcome == queue.Outcome(changed=1)
    assert queue.wakes(Action.CANCEL_WITH_DSN, outcome)
    assert await act(database, Action.HOLD) == queue.Outcome(unchanged=1)  # it must go back
    async with database.acquire() as connection:
        assert await queue.sweep_held(connection) == 0
        assert (await queue.next_due(connection) or 0) <= 0
    (claim,) = await take(database)
    assert claim.recipients[0].cancelled == "cancelled by an administrator"


async def test_retry_makes_what_waits_due_now(database: Database):
    await put(database, message("a@x.test"))
    (claim,) = await take(database)
    await settle(database, claim, State.DEFERRED)
    assert await take(database) == []
    outcome = await act(database, Action.RETRY, Filter(states=("deferred",)))
    assert queue.wakes(Action.RETRY, outcome)
    (claim,) = await take(database)
    assert claim.recipients[0].attempts == 1


async def test_an_action_is_bounded_and_says_that_there_is_more(database: Database):
    await put(database, *[message(f"u{n}@x.test") for n in range(5)])
    assert await act(database, Action.HOLD, limit=3) == queue.Outcome(changed=3, more=True)
    assert await act(database, Action.HOLD, limit=3) == queue.Outcome(changed=2)
    assert await act(database, Action.HOLD, limit=3) == queue.Outcome()


FILTERS = [
    (Filter(domain="x.test"), {"a@x.test", "B@x.test"}),
    (Filter(recipient="b@X.test"), {"B@x.test"}),
    (Filter(sender="Two@Ours.test"), {"c@y.test"}),
    (Filter(sender="@ours.test"), {"a@x.test", "B@x.test", "c@y.test"}),
    (Filter(sender="_wo@ours.test"), set()),
    (Filter(sender=""), {"d@z.test"}),
    (Filter(account=2), {"c@y.test", "d@z.test"}),
    (Filter(older_than_seconds=3600), {"d@z.test"}),
    (Filter(account_domains=frozenset()), set()),
    (Filter(states=("deferred",)), set()),
    (Filter(ids=()), set()),
]


@pytest.mark.parametrize(("chosen", "expected"), FILTERS, ids=[str(number) for number in range(len(FILTERS))])
async def test_filters_choose_the_same_for_the_list_and_for_actions(database: Database, chosen, expected):
    *_, old = await put(
        database,
        message("a@x.test", "B@x.test"),
        message("c@y.test", account=2, return_path="two@ours.test"),
        message("d@z.test", account=2, return_path=""),
    )
    async with database.acquire() as connection:
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '2 h' WHERE id = $1", old)
        listed = {entry.recipient for entry in await listing.entries(connection, chosen)}
    assert listed == expected
    await act(database, Action.HOLD, chosen)
    assert {recipient for recipient, state in (await states(database)).items() if state == "held"} == expected


async def test_a_domain_admins_filter_reaches_accounts_of_those_domains_only(database: Database, account: int):
    async with database.transaction() as connection:
        other = (await changes.create_domain(connection, "other.test")).id
        foreign = (await changes.create_account(connection, "z@other.test", None)).id
    await put(database, message("a@x.test", account=account), message("b@y.test", account=foreign))
    mine = Filter(account_domains=frozenset({other}))
    async with database.acquire() as connection:
        (entry,) = await listing.entries(connection, mine)
        assert (entry.recipient, entry.account) == ("b@y.test", "z@other.test")
        (waiting,) = await listing.summary(connection, frozenset({other}))
        assert (waiting.domain, waiting.state, waiting.recipients) == ("y.test", "queued", 1)
        assert await listing.message(connection, entry.message_id, frozenset({other})) is not None
        assert await listing.message(connection, entry.message_id, frozenset({other + 1})) is None
    assert await act(database, Action.CANCEL, mine) == queue.Outcome(changed=1)
    assert await states(database) == {"a@x.test": "queued", "b@y.test": "failed"}


async def test_pages_hold_each_recipient_once_newest_first(database: Database):
    await put(database, *[message(f"a{n}@x.test", f"b{n}@y.test") for n in range(5)])
    seen: list[tuple[int, int]] = []
    async with database.acquire() as connection:
        while page := await listing.entries(connection, Filter(), before=seen[-1] if seen else None, limit=3):
            seen += [(entry.message_id, entry.id) for entry in page]
    assert len(seen) == 10
    assert seen == sorted(set(seen), reverse=True)


async def test_texts_are_never_sql(database: Database):
    await put(database, message("a@x.test"))
    for text in ("' OR true --", "%", "_@x.test", "\\", "{0}", "$1", "%s"):
        async with database.acquire() as connection:
            for chosen in (Filter(sender=text), Filter(recipient=text), Filter(domain=text)):
                assert await listing.entries(connection, chosen) == []


async def test_mail_of_a_held_account_waits_whenever_it_came(database: Database, account: int):
    await put(database, message("early@x.test", "tried@y.test", account=account), message("other@x.test", account=99))
    tried = [claim for claim in await take(database) if claim.domain == "y.test"]
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE queue_recipient SET state = 'queued', lease_token = NULL, leased_until = NULL"
            " WHERE domain = 'x.test'"
        )
    async with database.transaction() as connection:
        assert await queue.hold_account(connection, account, "bounces")
        assert not await queue.hold_account(connection, account, "bounces")
    await put(database, message("late@x.test", account=account))
    await settle(database, tried[0], State.DEFERRED)
    await act(database, Action.RETRY, Filter(states=("deferred",)))  # due, not held, and still not to be claimed
    assert [r.address for claim in await take(database) for r in claim.recipients] == ["other@x.test"]
    async with database.acquire() as connection:
        assert await queue.sweep_held(connection) == 1
    held = {recipient for recipient, state in (await states(database)).items() if state == "held"}
    assert held == {"early@x.test", "tried@y.test", "late@x.test"}
    assert await act(database, Action.RELEASE) == queue.Outcome(account_held=3)
    async with database.transaction() as connection:
        assert await queue.lift_account_hold(connection, account)
    assert await act(database, Action.RELEASE) == queue.Outcome(changed=3)
    assert len(await take(database)) == 3


async def test_a_recipient_is_held_or_claimed_never_both(dsn: str):
    """Four workers claim while another holds and releases: each row ends in one hand, none is lost."""
    databases = [await Database.connect(dsn, size=2) for _ in range(5)]
    *workers, admin = databases
    try:
        await put(admin, *[message(f"u{n}@d{n % 7}.test", account=1 + n % 3) for n in range(300)])
        claimed: Counter[int] = Counter()
        done = asyncio.Event()

        async def work(database: Database, token: str) -> None:
            while not done.is_set():
                for claim in await take(database, token, Room(5, 5, 5, {})):
                    claimed.update(recipient.id for recipient in claim.recipients)
                    await settle(database, claim, State.DELIVERED)

        async def watch() -> None:
            held = 0
            for n in range(60):
                outcome = await act(admin, Action.HOLD, Filter(account=1 + n % 3), limit=1 + n % 40)
                held += outcome.changed
                async with admin.acquire() as connection:  # a row in both hands would break this
                    both = await connection.fetchval(
                        "SELECT count(*) FROM queue_recipient WHERE state = 'held' AND lease_token IS NOT NULL"
                    )
                assert both == 0
                await act(admin, Action.RELEASE, limit=1 + n % 25)
            assert held > 0
            while (await act(admin, Action.RELEASE)).changed:
                pass

        async def finish() -> None:
            await watch()
            async with asyncio.timeout(30):
                while set((await states(admin)).values()) != {"delivered"}:
                    await asyncio.sleep(0.01)
            done.set()

        async with asyncio.TaskGroup() as group:
            for number, database in enumerate(workers):
                group.create_task(work(database, f"w{number}"))
            group.create_task(finish())
        assert len(claimed) == 300
        assert set(claimed.values()) == {1}
    finally:
        for database in databases:
            await database.close()


async def test_hold_waits_for_a_claim_that_is_not_committed_yet_and_sees_it(dsn: str):
    one, two = await Database.connect(dsn, size=2), await Database.connect(dsn, size=2)
    try:
        await put(one, message("a@x.test"))
        async with one.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            claims = await queue.claim(connection, "w1", ROOM, 60)
            assert len(claims) == 1
            holding = asyncio.create_task(act(two, Action.HOLD))
            async with two.acquire() as watcher:  # it has come to the locked row
                async with asyncio.timeout(10):
                    while not await watcher.fetchval(
                        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
                        " AND wait_event_type = 'Lock')"
                    ):
                        await asyncio.sleep(0.01)
            await transaction.commit()
        assert await holding == queue.Outcome(attempting=1)
    finally:
        await one.close()
        await two.close()


async def test_purge_keeps_what_is_held(database: Database):
    (message_id,) = await put(database, message("a@x.test"))
    await act(database, Action.HOLD)
    async with database.transaction() as connection:
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '90 d'")
        await connection.execute("UPDATE queue_recipient SET updated_at = now() - interval '90 d'")
        assert await queue.purge(connection, 86400) == 0
        assert await listing.message(connection, message_id) is not None


async def test_large_actions_are_quick_whatever_the_statistics_say(database: Database):
    """Each row is looked up by its key; with the statistics of before, a plan for few rows took 17 s for 10,000."""
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO queue_message (account_id, body_account_id, body_id, return_path, trace_id)"
            " SELECT 1 + n % 50, 1, 1, 's@ours.test', 't' FROM generate_series(1, 40000) AS n"
        )
        await connection.execute(
            "INSERT INTO queue_recipient (account_id, message_id, recipient, domain, state)"
            " SELECT account_id, id, 'u@d.test', 'd.test', CASE WHEN id % 4 = 0 THEN 'deferred' ELSE 'delivered' END"
            " FROM queue_message"
        )
        await connection.execute("ANALYZE queue_message, queue_recipient")
    for action in (Action.HOLD, Action.RELEASE, Action.RETRY, Action.HOLD, Action.CANCEL):
        async with asyncio.timeout(8):
            assert (await act(database, action)).changed == 10_000, action
