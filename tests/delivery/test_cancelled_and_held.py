"""What people do to the queue, seen from the delivery daemon."""

import email

from mailraven import queue
from mailraven.queue import Action, Filter


async def act(site, action: Action, chosen: Filter | None = None) -> queue.Outcome:
    async with site.database.transaction() as connection:
        outcome = await queue.apply(connection, action, chosen or Filter(), by="root@ours.test")
    if queue.wakes(action, outcome):
        site.database.notifier.notify("mailraven_queue")
    return outcome


async def test_what_was_cancelled_goes_back_once_and_the_rest_of_the_claim_is_sent(site):
    remote = await site.far()
    server = site.server()
    await site.send("bob@far.test", "carol@far.test")
    await act(site, Action.CANCEL_WITH_DSN, Filter(recipient="carol@far.test"))
    await server.start()
    site.stack.push_async_callback(server.drain, 0.5)
    failed = await site.ends("failed", "carol@far.test")
    await site.ends("delivered", "bob@far.test")
    assert (failed["last_reply"], failed["last_status"]) == ("cancelled by an administrator", "5.7.0")
    assert [one.recipients for one in remote.transactions] == [["<bob@far.test>"]]
    (notice,) = await site.inbox()
    assert b"carol@far.test" in notice
    assert b"root@ours.test" not in notice
    assert b"Final-Recipient: rfc822; bob@far.test" not in notice
    assert email.message_from_bytes(notice).get_content_type() == "multipart/report"


async def test_release_wakes_the_daemon(site):
    remote = await site.far()
    await site.send("bob@far.test")
    await act(site, Action.HOLD)
    await site.start(poll_interval=3600.0)
    assert await site.state() == "held"
    await act(site, Action.RELEASE)
    await site.ends("delivered")
    assert len(remote.transactions) == 1


async def test_expiry_does_not_count_the_time_in_which_it_was_held(site):
    await site.far({"rcpt": b"451 4.3.0 later"})
    await site.send("bob@far.test")
    await act(site, Action.HOLD)
    async with site.database.acquire() as connection:
        await connection.execute("UPDATE queue_message SET created_at = now() - interval '30 d'")
        await connection.execute("UPDATE queue_recipient SET held_at = now() - interval '30 d'")
    await act(site, Action.RELEASE)
    await site.start()
    assert (await site.ends("deferred"))["attempts"] == 1
    assert await site.inbox() == []
