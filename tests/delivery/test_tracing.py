"""What the delivery daemon tells the delivery trace, and forgetting it."""

from datetime import UTC, datetime, timedelta

from mailraven.delivery import housekeeping
from mailraven.trace import Kind, TraceEvent


async def events(site):
    await site.trace.flush()
    async with site.database.acquire() as connection:
        rows = await connection.fetch("SELECT * FROM trace_event ORDER BY at, id")
    return [dict(row) for row in rows]


async def test_attempts_are_told_with_the_words_of_the_remote(site):
    await site.far({"rcpt": [b"250 ok", b"550 5.1.1 no such user", b"450 4.2.1 busy"]})
    server = await site.start()
    await site.send("a@far.test", "b@far.test", "c@far.test")
    await site.ends("delivered", "a@far.test")
    await site.ends("deferred", "c@far.test")
    await server.drain(1)
    found = {event["recipient"]: event for event in await events(site) if event["kind"] != "notified"}
    assert {name: event["kind"] for name, event in found.items()} == {
        "a@far.test": "sent",
        "b@far.test": "failed",
        "c@far.test": "deferred",
    }
    assert found["a@far.test"]["detail"].startswith("250 ")
    assert "no such user" in found["b@far.test"]["detail"]
    assert "busy" in found["c@far.test"]["detail"]
    assert "; tried again at 2" in found["c@far.test"]["detail"]
    assert {event["peer"] for event in found.values()} == {"far.test [127.0.0.1]"}
    assert {event["sender"] for event in found.values()} == {"alice@ours.test"}
    assert {event["account_id"] for event in found.values()} == {site.accounts["alice@ours.test"]}
    (told,) = [event for event in await events(site) if event["kind"] == "notified"]
    assert told["recipient"] == "alice@ours.test"
    assert told["detail"] == "INBOX: failed for b@far.test"
    assert told["account_id"] == site.accounts["alice@ours.test"]


async def test_old_events_are_forgotten_by_one_process(site):
    now = datetime.now(UTC)
    for days in (31, 32, 29):
        site.trace.record(TraceEvent(Kind.SENT, f"t{days}", at=now - timedelta(days=days)))
    await site.trace.flush()
    assert await housekeeping.purge_trace(site.database, "w1") == 2
    assert [event["trace_id"] for event in await events(site)] == ["t29"]
    site.trace.record(TraceEvent(Kind.SENT, "old", at=now - timedelta(days=40)))
    await site.trace.flush()
    assert await housekeeping.purge_trace(site.database, "w2") == 0
