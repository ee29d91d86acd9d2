"""Claims, leases, fencing and transitions against a real Postgres."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from mailraven import queue
from mailraven.db import Database
from mailraven.queue import NewMessage, RemoteRecipient, Room, State, Transition

ROOM = Room(recipients=100, transactions=50, per_domain=10, busy={})


def message(*recipients: str, account: int = 1, return_path: str = "sender@ours.test") -> NewMessage:
    return NewMessage(
        account=account,
        body_account=account,
        body_id=7,
        return_path=return_path,
        recipients=tuple(RemoteRecipient(r, r.rpartition("@")[2]) for r in recipients),
        trace_id=uuid.uuid4().hex,
    )


async def put(database: Database, *messages: NewMessage) -> list[int]:
    async with database.transaction() as connection:
        return await queue.enqueue(connection, messages)


async def take(database: Database, token: str = "w1", room: Room = ROOM, lease: float = 60) -> list[queue.Claim]:
    async with database.acquire() as connection:
        return await queue.claim(connection, token, room, lease)


async def settle(database: Database, claim: queue.Claim, state: State, **fields) -> set[int]:
    if state is State.DEFERRED:
        fields.setdefault("due_at", datetime.now(UTC) + timedelta(minutes=1))
    async with database.transaction() as connection:
        return await queue.settle(
            connection, claim, [Transition(r, state, "2.0.0", **fields) for r in claim.recipients]
        )


async def rows(database: Database) -> dict[str, asyncpg.Record]:
    async with database.acquire() as connection:
        return {r["recipient"]: r for r in await connection.fetch("SELECT * FROM queue_recipient")}


async def expire_leases(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE queue_recipient SET leased_until = now() - interval '1 s' WHERE state = 'attempting'"
        )


async def test_enqueue_returns_ids_in_order_and_keeps_every_field(database: Database):
    messages = [
        NewMessage(3, 3, 11, "a@ours.test", (RemoteRecipient("x@far.test", "far.test"),), True, True, "env", "t1"),
        message("y@far.test", "z@near.test"),
    ]
    ids = await put(database, *messages)
    async with database.acquire() as connection:
        stored = await connection.fetch("SELECT * FROM queue_message ORDER BY id")
        recipients = await connection.fetch("SELECT * FROM queue_recipient ORDER BY id")
    assert [row["id"] for row in stored] == ids
    first = stored[0]
    assert (first["account_id"], first["body_account_id"], first["body_id"]) == (3, 3, 11)
    assert (first["return_path"], first["smtputf8"], first["eight_bit"]) == ("a@ours.test", True, True)
    assert (first["envelope_id"], first["trace_id"]) == ("env", "t1")
    assert [(r["message_id"], r["recipient"], r["domain"], r["state"]) for r in recipients] == [
        (ids[0], "x@far.test", "far.test", "queued"),
        (ids[1], "y@far.test", "far.test", "queued"),
        (ids[1], "z@near.test", "near.test", "queued"),
    ]


async def test_enqueue_of_nothing_is_nothing(database: Database):
    assert await put(database) == []


async def test_a_claim_is_one_message_to_one_domain(database: Database):
    one, two = await put(database, message("a@x.test", "b@y.test", "c@x.test"), message("d@x.test"))
    claims = await take(database)
    assert [(c.message_id, c.domain, [r.address for r in c.recipients]) for c in claims] == [
        (one, "x.test", ["a@x.test", "c@x.test"]),
        (one, "y.test", ["b@y.test"]),
        (two, "x.test", ["d@x.test"]),
    ]
    assert all(r.epoch == 1 for c in claims for r in c.recipients)
    assert await take(database, "w2") == []


async def test_what_is_not_due_is_not_claimed(database: Database):
    await put(database, message("a@x.test"))
    (claim,) = await take(database)
    await settle(database, claim, State.DEFERRED)
    assert await take(database) == []
    async with database.acquire() as connection:
        wait = await queue.next_due(connection)
    assert wait is not None
    assert 50 < wait <= 60


async def test_next_due_is_none_on_an_empty_queue_and_now_for_a_new_message(database: Database):
    async with database.acquire() as connection:
        assert await queue.next_due(connection) is None
        await queue.enqueue(connection, [message("a@x.test")])
        wait = await queue.next_due(connection)
        assert wait is not None
        assert wait <= 0
        assert await queue.next_due(connection, ["x.test"]) is None


async def test_a_domain_gets_only_its_share_and_others_are_not_held_up(database: Database):
    await put(database, *[message(f"u{n}@bad.test") for n in range(20)], message("u@good.test"))
    claims = await take(database, room=Room(30, 50, per_domain=3, busy={"bad.test": 1}))
    assert sorted(c.domain for c in claims) == ["bad.test", "bad.test", "good.test"]
    assert await take(database, room=Room(30, 50, per_domain=3, busy={"bad.test": 3, "good.test": 1})) == []


async def test_a_full_domain_at_the_head_of_the_queue_is_passed_over(database: Database):
    await put(database, *[message(f"u{n}@bad.test") for n in range(20)], message("u@good.test"))
    (claim,) = await take(database, room=Room(5, 5, per_domain=2, busy={"bad.test": 2}))
    assert claim.domain == "good.test"


async def test_transactions_are_limited_oldest_first(database: Database):
    ids = await put(database, *[message(f"u{n}@d{n}.test") for n in range(5)])
    claims = await take(database, room=Room(100, 2, 10, {}))
    assert [c.message_id for c in claims] == ids[:2]


async def test_concurrent_workers_share_the_queue_without_overlap(database: Database):
    await put(database, *[message(f"u{n}@d{n}.test") for n in range(60)])
    room = Room(10, 10, 10, {})
    taken = await asyncio.gather(*(take(database, f"w{n}", room) for n in range(3)))
    addresses = [r.address for claims in taken for c in claims for r in c.recipients]
    assert len(addresses) == len(set(addresses)) > 0


@pytest.mark.parametrize("state", list(State))
async def test_transition_writes_the_outcome(database: Database, state: State):
    await put(database, message("a@x.test"))
    (claim,) = await take(database)
    ids = await settle(database, claim, state, reply="250 ok", remote_mta="mx.x.test")
    assert ids == {claim.recipients[0].id}
    row = (await rows(database))["a@x.test"]
    assert (row["state"], row["attempts"], row["last_reply"], row["remote_mta"]) == (
        state,
        1,
        "250 ok",
        "mx.x.test",
    )
    assert row["lease_token"] is None


async def test_expired_lease_is_claimed_again_and_the_first_worker_changes_nothing(database: Database):
    """SIGSTOP longer than the lease, then SIGCONT: fenced by the epoch, also under the same token."""
    await put(database, message("a@x.test"))
    (first,) = await take(database, "w1")
    await expire_leases(database)
    (second,) = await take(database, "w1")
    assert second.recipients[0].epoch == first.recipients[0].epoch + 1
    assert await settle(database, first, State.FAILED) == set()
    async with database.acquire() as connection:
        assert await queue.extend(connection, [first], 60) == [first]
        await queue.release(connection, [first])
    assert (await rows(database))["a@x.test"]["state"] == "attempting"
    assert await settle(database, second, State.DELIVERED) != set()
    assert await settle(database, second, State.FAILED) == set()
    assert (await rows(database))["a@x.test"]["state"] == "delivered"


async def test_another_workers_token_changes_nothing(database: Database):
    await put(database, message("a@x.test"))
    (first,) = await take(database, "w1")
    await expire_leases(database)
    (second,) = await take(database, "w2")
    assert await settle(database, first, State.DELIVERED) == set()
    assert await settle(database, second, State.DELIVERED) != set()


async def test_a_recipient_that_keeps_losing_its_worker_waits_longer(database: Database):
    await put(database, message("a@x.test"))
    for _ in range(2):
        assert len(await take(database)) == 1
        await expire_leases(database)
    assert await take(database) == []
    async with database.acquire() as connection:
        wait = await queue.next_due(connection)
    assert wait is not None
    assert 30 < wait <= 60


async def test_extend_keeps_a_lease(database: Database):
    await put(database, message("a@x.test"))
    (claim,) = await take(database, lease=1)
    async with database.acquire() as connection:
        assert await queue.extend(connection, [claim], 600) == []
        left = await connection.fetchval("SELECT extract(epoch FROM leased_until - now()) FROM queue_recipient")
    assert left > 500


async def test_release_gives_back_at_once_without_counting_an_attempt(database: Database):
    await put(database, message("a@x.test"))
    claims = await take(database, "w1")
    async with database.acquire() as connection:
        await queue.release(connection, claims)
    row = (await rows(database))["a@x.test"]
    assert (row["state"], row["attempts"]) == ("queued", 0)
    assert len(await take(database, "w2")) == 1


async def test_depth_counts_what_waits(database: Database):
    await put(database, message("a@x.test"), message("b@y.test"), message("c@z.test"))
    claims = await take(database, room=Room(2, 2, 10, {}))
    await settle(database, claims[0], State.DELIVERED)
    async with database.acquire() as connection:
        depth = await queue.depth(connection)
    assert depth.counts == {"queued": 1, "attempting": 1, "deferred": 0, "held": 0}
    assert depth.late_seconds >= 0


async def test_purge_removes_only_messages_long_finished(database: Database):
    done, waiting, recent = await put(
        database, message("a@x.test", "b@y.test"), message("c@z.test"), message("d@w.test")
    )
    for claim in await take(database):
        if claim.message_id != waiting:
            await settle(database, claim, State.DELIVERED)
    async with database.acquire() as connection:
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '8 d'")
        await connection.execute(
            "UPDATE queue_recipient SET updated_at = now() - interval '8 d' WHERE message_id <> $1", recent
        )
        assert await queue.purge(connection, 7 * 86400) == 1
        left = {row["id"] for row in await connection.fetch("SELECT id FROM queue_message")}
        orphans = await connection.fetchval("SELECT count(*) FROM queue_recipient WHERE message_id = $1", done)
    assert left == {waiting, recent}
    assert orphans == 0


async def test_claim_reads_the_due_index(database: Database):
    """10,000 waiting recipients must not be read to find the due one."""
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO queue_message (account_id, id, body_account_id, body_id, return_path, trace_id) "
            "SELECT 1, 1000000 + n, 1, 1, 's@ours.test', '' FROM generate_series(1, 10000) n"
        )
        await connection.execute(
            "INSERT INTO queue_recipient (account_id, message_id, recipient, domain, state, due_at) "
            "SELECT 1, 1000000 + n, 'u@x.test', 'x.test', 'deferred', now() + interval '1 h' "
            "FROM generate_series(1, 10000) n"
        )
        await connection.execute("ANALYZE queue_recipient, queue_message")
        await queue.enqueue(connection, [message("a@x.test")])
        plan = "\n".join(
            row[0]
            for row in await connection.fetch(
                "EXPLAIN SELECT id FROM queue_recipient WHERE state IN ('queued', 'deferred') AND due_at <= now() "
                "AND domain <> ALL('{}'::text[]) ORDER BY due_at, account_id, message_id, id LIMIT 100 "
                "FOR UPDATE SKIP LOCKED"
            )
        )
    assert "queue_recipient_due" in plan
    (claim,) = await take(database)
    assert claim.recipients[0].address == "a@x.test"


async def test_extend_and_settle_of_one_claim_do_not_deadlock(database: Database):
    await put(database, message(*(f"u{n}@x.test" for n in range(50))))
    (claim,) = await take(database)

    async def extend() -> None:
        async with database.acquire() as connection:
            for _ in range(20):
                await queue.extend(connection, [claim], 60)

    async def settle_backwards() -> None:
        for _ in range(20):
            async with database.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                moves = [Transition(r, State.DELIVERED, "2.0.0") for r in reversed(claim.recipients)]
                assert len(await queue.settle(connection, claim, moves)) == 50
                await transaction.rollback()

    await asyncio.gather(extend(), settle_backwards())
