"""Draining, and storage that is away."""

from __future__ import annotations

import asyncio

import pytest

from mailraven.mailstore import Mailstore

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def test_idle_sessions_hear_bye_at_once(imap):
    async with await imap.login("INBOX") as idling, await imap.login() as silent, await imap.connect() as stranger:
        await idling.idle()
        await asyncio.wait_for(imap.server.drain(10), 2)
        for client in (idling, silent, stranger):
            assert (await client.closed()).startswith(b"* BYE [UNAVAILABLE]")
        with pytest.raises(OSError):
            await imap.connect()


async def test_command_in_progress_is_finished_first(imap, monkeypatch):
    going_on, go_on = asyncio.Event(), asyncio.Event()
    append = Mailstore.append

    async def slow(*arguments):
        going_on.set()
        await go_on.wait()
        return await append(*arguments)

    monkeypatch.setattr(Mailstore, "append", slow)
    async with await imap.login() as client:
        appending = asyncio.create_task(client.append("INBOX", MESSAGE))
        await going_on.wait()
        draining = asyncio.create_task(imap.server.drain(10))
        await asyncio.sleep(0)
        assert not draining.done()
        go_on.set()
        assert (await appending).status == "OK"
        assert (await client.closed()).startswith(b"* BYE")
        await asyncio.wait_for(draining, 5)


async def test_session_that_will_not_end_is_cut(imap, monkeypatch):
    started = asyncio.Event()

    async def endless(*_):
        started.set()
        await asyncio.sleep(1.5)
        raise AssertionError("cut off long before")

    monkeypatch.setattr(Mailstore, "append", endless)
    async with await imap.login() as client:
        await client.send(b"a APPEND INBOX {3+}\r\nabc\r\n")
        await started.wait()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        draining = asyncio.create_task(imap.server.drain(0.2))
        assert b"a OK" not in await client.closed()
        assert loop.time() - begun < 1
        await draining


async def test_database_that_is_away_is_no_and_the_session_goes_on(start_imap, gate):
    imap = await start_imap(database_url=gate.dsn)
    async with await imap.login("INBOX") as client:
        await imap.deliver(MESSAGE)
        await client.ok("NOOP")
        await gate.shut()
        for command in ("STATUS INBOX (MESSAGES)", "FETCH 1 ENVELOPE", "STORE 1 +FLAGS (\\Seen)", "SEARCH TEXT a"):
            await client.no(command, code="UNAVAILABLE")
        assert (await client.append("INBOX", MESSAGE)).code == "UNAVAILABLE"
        await client.ok("NOOP")
        await client.ok("FETCH 1 FLAGS")
        await gate.open()
        await client.ok("FETCH 1 ENVELOPE")
        assert (await client.append("INBOX", MESSAGE)).status == "OK"


async def test_directory_that_is_away(start_imap, gate):
    imap = await start_imap(database_url=gate.dsn)
    async with await imap.connect() as client:
        await gate.shut()
        await client.no("LOGIN jane@example.org password", code="UNAVAILABLE")
        await gate.open()
        await client.ok('LOGIN jane@example.org "correct horse battery"')


async def test_blob_store_that_is_away_is_no_and_the_session_goes_on(imap, tmp_path):
    await imap.deliver(MESSAGE)
    await imap.deliver(b"Subject: large\r\n\r\n" + b"x" * 100_000)
    (tmp_path / "blobs").rename(tmp_path / "away")
    async with await imap.login("INBOX") as client:
        await client.no("FETCH 2 BODY.PEEK[]", code="UNAVAILABLE")
        await client.ok("FETCH 1 BODY.PEEK[]")
        await client.ok("FETCH 2 ENVELOPE")
        (tmp_path / "away").rename(tmp_path / "blobs")
        await client.ok("FETCH 2 BODY.PEEK[]")


async def test_bug_is_answered_serverbug_and_the_session_goes_on(imap, monkeypatch):
    async def broken(*_):
        raise RuntimeError("secret detail")

    async with await imap.login() as client:
        with monkeypatch.context() as patched:
            patched.setattr(Mailstore, "mailbox", broken)
            answer = await client.no("STATUS INBOX (MESSAGES)", code="SERVERBUG")
            assert "secret" not in answer.text
        await client.ok("STATUS INBOX (MESSAGES)")
