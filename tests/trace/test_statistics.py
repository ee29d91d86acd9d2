"""Figures: of everything, of some domains, by hour."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.mailstore import Delivery, LocalTarget, Mailstore, RemoteRecipient
from mailraven.trace import Kind, Recorder, TraceEvent, statistics
from mailraven_api.stats import QueueStats, Traffic

RAW = b"Subject: x\r\n\r\nHello.\r\n"


async def record(database: Database, *events: tuple[Kind, str, timedelta]) -> None:
    recorder, now = Recorder(database), datetime.now(UTC)
    for kind, recipient, ago in events:
        recorder.record(TraceEvent(kind, "t", recipient=recipient, at=now - ago))
    await recorder.close()


async def test_totals_queue_and_traffic_of_all_and_of_a_domain(database: Database, tmp_path) -> None:
    directory, blobs = Directory(database), FileBlobStore(tmp_path)
    await blobs.open()
    mailstore = Mailstore(database, blobs)
    ids = {}
    for name in ("a.test", "b.test"):
        await directory.create_domain(name)
        ids[name] = (await directory.create_account(f"jane@{name}", None)).id
    for name, count in (("a.test", 2), ("b.test", 1)):
        for _ in range(count):
            target = LocalTarget(ids[name], f"jane@{name}")
            await mailstore.intake.deliver(Delivery(RAW, (target,)))
        remote = (RemoteRecipient("bob@far.test", "far.test"),)
        await mailstore.intake.deliver(Delivery(RAW, (), remote, submitter_account=ids[name]))
    minute = timedelta(minutes=1)
    await record(
        database,
        (Kind.DELIVERED, "jane@a.test", minute),
        (Kind.DELIVERED, "jane@a.test", 90 * minute),
        (Kind.DELIVERED, "jane@b.test", minute),
        (Kind.REFUSED, "x@a.test", minute),
        (Kind.EXPIRED, "x@far.test", minute),
        (Kind.SENT, "x@far.test", timedelta(hours=25)),
        (Kind.LOGIN_FAILED, "", minute),
    )
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO ban (network, reason) VALUES ('192.0.2.1/32', 'x')")
        await connection.execute(
            "INSERT INTO ban (network, reason, until) VALUES ('192.0.2.2/32', 'x', now() - interval '1 s')"
        )
        await connection.execute("UPDATE queue_recipient SET due_at = now() - interval '100 s'")
        whole = await statistics.current(connection, None)
        domain = await connection.fetchval("SELECT id FROM domain WHERE name = 'a.test'")
        part = await statistics.current(connection, frozenset({domain}))
        nothing = await statistics.current(connection, frozenset())
    assert (whole.domains, whole.accounts, whole.messages, whole.bytes) == (2, 2, 3, 3 * len(RAW))
    assert (part.domains, part.accounts, part.messages, part.bytes) == (1, 1, 2, 2 * len(RAW))
    assert (nothing.domains, nothing.accounts, nothing.messages, nothing.queue.queued) == (0, 0, 0, 0)
    assert (whole.queue.queued, part.queue.queued) == (2, 1)
    assert isinstance(whole.queue, QueueStats)
    assert 100 <= whole.queue.oldest_due_seconds < 160
    assert whole.last_hour == Traffic(received=2, sent=0, refused=1, deferred=0, failed=1, auth_failures=1)
    assert whole.last_day == Traffic(received=3, sent=0, refused=1, deferred=0, failed=1, auth_failures=1)
    assert part.last_day == Traffic(received=2, sent=0, refused=1, deferred=0, failed=0, auth_failures=0)
    assert (whole.active_bans, part.active_bans) == (1, None)
    await mailstore.close()
    await directory.close()


async def test_the_series_has_every_hour(database: Database) -> None:
    hour = timedelta(hours=1)
    await record(
        database,
        (Kind.SENT, "x@a.test", timedelta()),
        (Kind.DELIVERED, "x@a.test", 2 * hour),
        (Kind.DELIVERED, "x@b.test", 2 * hour),
        (Kind.DELIVERED, "x@a.test", 30 * hour),
    )
    directory = Directory(database)
    await directory.create_domain("a.test")
    async with database.transaction() as connection:
        whole = (await statistics.by_hour(connection, 24, None)).hours
        domain = await connection.fetchval("SELECT id FROM domain WHERE name = 'a.test'")
        part = (await statistics.by_hour(connection, 24, {domain})).hours
    assert len(whole) == 24
    assert [later.hour - earlier.hour for earlier, later in pairwise(whole)] == [hour] * 23
    assert (whole[-1].sent, whole[-3].received, part[-3].received, whole[-2].received) == (1, 2, 1, 0)
    assert sum(one.received for one in whole) == 2
    await directory.close()
