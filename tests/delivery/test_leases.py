"""Several workers on one queue: each recipient is settled once, DSNs come once, nothing is lost."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from mailraven import queue
from mailraven.delivery.attempt import Job, Sender
from mailraven.delivery.budget import OctetBudget
from mailraven.delivery.route import Router
from mailraven.delivery.session import Envelope, LeaseOver, Timeouts
from mailraven.dns import Resolver

EXPIRE = "UPDATE queue_recipient SET leased_until = now() - interval '1 s' WHERE state = 'attempting'"


async def test_many_workers_deliver_each_message_once(site):
    remotes = [await site.remote(f"d{n}.test") for n in range(5)]
    for n in range(60):
        await site.send(f"u{n}@d{n % 5}.test")
    for _ in range(3):
        await site.start(concurrency=8, concurrency_per_domain=3)
    for n in range(60):
        await site.ends("delivered", f"u{n}@d{n % 5}.test", timeout=60)
    got = [r for remote in remotes for t in remote.transactions for r in t.recipients]
    assert sorted(got) == sorted(f"<u{n}@d{n % 5}.test>" for n in range(60))
    assert max(remote.most_open for remote in remotes) <= 9


@pytest.mark.parametrize(("answer", "state", "notices"), [(b"550 5.1.1 no", "failed", 1), (b"250 ok", "delivered", 0)])
async def test_worker_that_lost_its_lease_changes_nothing(site, eventually, answer, state, notices):
    go_on, asked = asyncio.Event(), asyncio.Event()
    first = True

    async def recipient(_command: str) -> bytes:
        nonlocal first
        if first:
            first = False
            asked.set()
            await go_on.wait()
        return answer

    remote = await site.far({"rcpt": recipient})
    slow = await site.start()
    await site.send("bob@far.test")
    await asked.wait()
    async with site.database.acquire() as connection:
        await connection.execute(EXPIRE)
    await site.start()
    row = await site.ends(state)
    go_on.set()
    await slow.drain(10)
    assert await site.row() == row
    assert len(await site.inbox()) == notices
    assert remote.connections == 2


async def test_stopped_process_sends_and_writes_nothing_when_it_goes_on(site, eventually):
    """SIGSTOP for longer than the lease, then SIGCONT."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def recipient(_command: str) -> bytes:
        if not asked.is_set():
            asked.set()
            await go_on.wait()
        return b"250 ok"

    remote = await site.far({"rcpt": recipient})
    await site.send("bob@far.test")
    settings = {
        "resolver": [site.dns.endpoint],
        "smtp_port": site.port,
        "allow_private_destinations": True,
        "lease": 10,
    }
    dsn = site.dsn
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("stoppable_worker.py")),
        dsn,
        str(site.blob_directory),
        json.dumps(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            await asked.wait()
        os.kill(process.pid, signal.SIGSTOP)
        await site.start(poll_interval=0.5)
        row = await site.ends("delivered", timeout=40)
        go_on.set()
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while line := await process.stdout.readline():
                if b"lease" in line:
                    break
        assert await site.row() == row
        assert len(remote.transactions) == 1
    finally:
        process.kill()
        await process.wait()


async def test_lease_that_is_over_by_our_clock_stops_before_the_data(site):
    remote = await site.far()
    sender = Sender(
        Router(Resolver([site.dns.endpoint]), "mail.ours.test", True), site.port, Timeouts(), OctetBudget(1 << 20)
    )
    ours = iter([True, False])

    async def read() -> bytes:
        return b"Subject: x\r\n\r\n"

    job = Job("far.test", Envelope("a@ours.test", ("bob@far.test",)), 14, False, read, lambda: next(ours))
    with pytest.raises(LeaseOver):
        await sender.attempt(job)
    await sender.close()
    assert "DATA" not in remote.commands
    assert remote.commands[-1].startswith("RCPT")


async def test_leases_are_kept_while_an_attempt_goes_on(site, eventually):
    await site.far({"rcpt": None})
    await site.start(lease=10)
    await site.send("bob@far.test")
    await site.ends("attempting")
    before = (await site.row())["leased_until"]

    async def kept() -> bool:
        return (await site.row())["leased_until"] > before

    await eventually(kept)
    assert (await site.row())["lease_epoch"] == 1


async def test_lost_lease_ends_the_attempt(site, eventually):
    remote = await site.far({"rcpt": None})
    await site.start(lease=10)
    await site.send("bob@far.test")
    await site.ends("attempting")
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE queue_recipient SET lease_token = 'another', lease_epoch = lease_epoch + 1")

    async def gone() -> bool:
        return remote.open_connections == 0

    await eventually(gone)
    assert (await site.row())["lease_token"] == "another"


async def test_drain_gives_back_what_was_not_sent(site):
    await site.far({"rcpt": None})
    server = await site.start()
    await site.send("bob@far.test")
    await site.ends("attempting")
    await server.drain(0.1)
    row = await site.row()
    assert (row["state"], row["attempts"]) == ("queued", 0)
    async with site.database.acquire() as connection:
        assert (await queue.next_due(connection)) <= 0


async def test_drain_lets_an_attempt_finish_and_claims_nothing_more(site):
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def dot(_command: str) -> bytes:
        asked.set()
        await go_on.wait()
        return b"250 2.0.0 ok"

    remote = await site.far({"dot": dot})
    server = await site.start()
    await site.send("bob@far.test")
    await asked.wait()
    drain = asyncio.create_task(server.drain(10))
    await asyncio.sleep(0)
    await site.send("late@far.test")
    go_on.set()
    await drain
    assert await site.state() == "delivered"
    assert await site.state("late@far.test") == "queued"
    assert len(remote.transactions) == 1


async def test_drain_after_the_dot_counts_as_an_attempt(site):
    """The reply may be lost, the message may be there (RFC 1047): tried again by the schedule, not at once."""
    await site.far({"dot": None})
    server = await site.start()
    await site.send("bob@far.test")
    while not site.remotes[0].transactions:
        await site.ends("attempting")
    await server.drain(0.1)
    row = await site.row()
    assert (row["state"], row["attempts"]) == ("deferred", 1)


async def test_notification_of_another_process_wakes(site, eventually):
    await site.far()
    server = site.server(poll_interval=60.0)
    await server.start()
    site.stack.push_async_callback(server.drain, 0.5)
    await site.database.listener.start()
    site.mailstore.intake.enqueued = lambda: None
    await site.send("bob@far.test")
    await site.ends("delivered", timeout=10)


async def test_lost_notification_only_delays(site):
    await site.far()
    await site.start(poll_interval=0.3)
    site.mailstore.intake.enqueued = lambda: None
    await site.send("bob@far.test")
    await site.ends("delivered", timeout=10)


async def test_database_that_goes_away_during_an_attempt(site):
    """All connections are cut while the server has the message: the outcome is written when Postgres is back."""
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def dot(_command: str) -> bytes:
        asked.set()
        await go_on.wait()
        return b"250 2.0.0 ok"

    remote = await site.far({"dot": dot})
    await site.start()
    await site.send("bob@far.test")
    await asked.wait()
    async with site.database.acquire() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    go_on.set()
    await site.ends("delivered")
    assert len(remote.transactions) == 1


async def test_message_without_content_is_never_sent_empty(site):
    remote = await site.far()
    async with site.database.transaction() as connection:
        await queue.enqueue(
            connection,
            [
                queue.NewMessage(
                    site.accounts["alice@ours.test"],
                    1,
                    999_999,
                    "",
                    (queue.RemoteRecipient("bob@far.test", "far.test"),),
                )
            ],
        )
    await site.start()
    row = await site.ends("deferred")
    assert row["last_status"] == "4.3.0"
    assert remote.connections == 0
