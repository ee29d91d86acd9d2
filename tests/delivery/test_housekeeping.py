"""The gauges of the queue, and clearing away under a lease."""

from prometheus_client import REGISTRY

from mailraven.delivery import housekeeping


async def test_gauges_say_what_waits(site):
    await site.far()
    await site.send("bob@far.test", "zoe@far.test")
    await housekeeping.measure(site.database)
    assert REGISTRY.get_sample_value("mailraven_queue_recipients", {"state": "queued"}) == 2
    assert REGISTRY.get_sample_value("mailraven_queue_recipients", {"state": "attempting"}) == 0


async def test_finished_messages_are_cleared_away_by_one_process(site):
    await site.far()
    server = await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    await site.send("zoe@far.test", "nobody@nothing.test")
    await site.ends("delivered", "zoe@far.test")
    await server.drain(1)
    async with site.database.acquire() as connection:
        await connection.execute("DELETE FROM lease")
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '8 d'")
        await connection.execute("UPDATE queue_recipient SET updated_at = now() - interval '8 d'")
        await connection.execute("UPDATE queue_recipient SET state = 'queued' WHERE recipient LIKE 'nobody@%'")
    assert await housekeeping.purge(site.database, "w1") == 1
    assert set(await site.rows()) == {"zoe@far.test", "nobody@nothing.test"}
    assert await housekeeping.purge(site.database, "w2") == 0
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE body_release SET released_at = now() - interval '2 days'")
    assert await housekeeping.collect(site.database, site.mailstore, "w1") == 1
    assert await housekeeping.collect(site.database, site.mailstore, "w2") == 0


async def test_attempts_are_counted_by_result(site):
    def count(result: str) -> float:
        return REGISTRY.get_sample_value("mailraven_delivery_attempts_total", {"result": result}) or 0.0

    before = {result: count(result) for result in ("delivered", "failed", "deferred", "unknown")}
    await site.far({"rcpt": [b"250 ok", b"550 5.1.1 no", b"450 4.2.1 busy"], "dot": [b"250 ok", b""]})
    server = await site.start()
    await site.send("a@far.test", "b@far.test", "c@far.test")
    await site.ends("delivered", "a@far.test")
    await site.make_due()
    server.wake()
    while (await site.row("c@far.test"))["attempts"] < 2:
        await site.ends("deferred", "c@far.test")
    await server.drain(1)
    assert {result: count(result) - before[result] for result in before} == {
        "delivered": 1,
        "failed": 1,
        "deferred": 1,
        "unknown": 1,
    }


async def test_old_audit_entries_and_ended_sessions_go(site):
    async with site.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO audit (at, actor, action)"
            " VALUES (now() - interval '401 days', 'x', 'old'), (now(), 'x', 'new')"
        )
        await connection.execute(
            "INSERT INTO web_session (sha256, account_id, credential_version, csrf_sha256, expires_at)"
            " SELECT sha256(h::text::bytea), (SELECT min(id) FROM account), 1, sha256(''),"
            "        now() + h * interval '1 hour'"
            "   FROM generate_series(-1, 1, 2) AS h"
        )
    assert await housekeeping.purge_administration(site.database, "w1") == 2
    assert await housekeeping.purge_administration(site.database, "w2") == 0  # this hour's work is done
    async with site.database.acquire() as connection:
        assert await connection.fetchval("SELECT string_agg(action, ' ') FROM audit") == "new"
        assert await connection.fetchval("SELECT count(*) FROM web_session") == 1
