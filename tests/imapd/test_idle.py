"""IDLE: news at once, also from another process."""

from __future__ import annotations

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def until(client, wanted):
    """Lines up to the wanted one."""
    lines = []
    while not lines or lines[-1] != wanted:
        lines.append(await client.line())
    return lines


async def test_bad_syntax(imap):
    async with await imap.login("INBOX") as client:
        await client.bad("IDLE x")
        tag = await client.idle()
        await client.send(b"NOOP\r\n")
        assert (await client.answer(tag)).status == "BAD"
        await client.ok("NOOP")


async def test_done_in_any_case_and_with_the_next_command(imap):
    async with await imap.login("INBOX") as client:
        tag = await client.idle()
        await client.send(b"done\r\nx NOOP\r\n")
        assert (await client.answer(tag)).status == "OK"
        assert (await client.line()).startswith(b"x OK")


async def test_done_sent_ahead(imap):
    async with await imap.login("INBOX") as client:
        await client.send(b"a IDLE\r\nDONE\r\nb NOOP\r\n")
        assert (await client.line()).startswith(b"+")
        assert (await client.line()).startswith(b"a OK")
        assert (await client.line()).startswith(b"b OK")


async def test_without_a_mailbox(imap):
    async with await imap.login() as client:
        assert (await client.done(await client.idle())).status == "OK"


async def test_arrival_flags_and_expunge_are_told_at_once(imap):
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        tag = await client.idle()
        await imap.deliver(MESSAGE)
        assert await until(client, b"* 1 RECENT") == [b"* 1 EXISTS", b"* 1 RECENT"]
        await other.ok("NOOP")
        await other.ok("STORE 1 +FLAGS (\\Flagged)")
        await until(client, b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent))")
        await other.ok("STORE 1 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        await until(client, b"* 1 EXPUNGE")
        assert (await client.done(tag)).untagged == []


async def test_what_happened_before_is_told_on_entering(imap):
    async with await imap.login("INBOX") as client:
        await imap.deliver(MESSAGE)
        tag = await client.idle()
        await until(client, b"* 1 EXISTS")
        await client.done(tag)


async def test_another_process_delivers(start_imap):
    here, there = await start_imap(), await start_imap()
    async with await here.login("INBOX") as client, await there.login("INBOX") as other:
        tag = await client.idle()
        await there.deliver(MESSAGE)
        await until(client, b"* 1 EXISTS")
        await other.ok("NOOP")
        await other.ok("STORE 1 +FLAGS (\\Seen $Label)")
        lines = await until(client, b"* 1 FETCH (UID 1 FLAGS (\\Seen $Label \\Recent))")
        assert any(line.startswith(b"* FLAGS ") for line in lines)
        await other.ok("UID MOVE 1 Trash")
        await until(client, b"* 1 EXPUNGE")
        await client.done(tag)


async def test_no_task_while_idling(imap):
    async with await imap.login("INBOX") as client:
        tag = await client.idle()
        await imap.deliver(MESSAGE)
        await until(client, b"* 1 EXISTS")
        connection = next(iter(imap.server.connections))
        assert connection._task is None
        await client.done(tag)


async def test_deleted_mailbox_ends_the_session(imap):
    async with await imap.login() as client, await imap.login() as other:
        await client.ok("CREATE a")
        await client.ok("SELECT a")
        await client.idle()
        await other.ok("DELETE a")
        assert b"* BYE" in await client.closed()


async def test_client_that_leaves_stops_waiting(imap):
    client = await imap.login("INBOX")
    await client.idle()
    await client.close()
    async with await imap.login("INBOX") as other:
        view = next(one.session.selected.view for one in imap.server.connections if one.session.state)
        for _ in range(100):
            if len(imap.server.connections) == 1:
                break
            await other.ok("NOOP")
        assert not view.watched
        assert view.users == 1
