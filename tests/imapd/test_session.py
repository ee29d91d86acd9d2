"""Greeting, CAPABILITY, LOGIN, LOGOUT, unknown and bad commands."""

from __future__ import annotations

import asyncio

import pytest


async def test_bad_syntax_leaves_the_session_usable(imap):
    async with await imap.connect() as client:
        for line in (
            b"",
            b"x",
            b"* NOOP",
            b"a1 NOOP ",
            b"a1  NOOP",
            b"a1 LOGIN",
            b"a1 LOGIN a",
            b'a1 LOGIN "a b',
            b"a \0",
        ):
            await client.send(line + b"\r\n")
            assert b" BAD " in await client.line(), line
            await client.ok("NOOP")


async def test_greeting_has_the_capabilities(imap):
    async with await imap.connect() as client:
        assert client.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
        answer = await client.ok("CAPABILITY")
        assert b" STARTTLS AUTH=PLAIN" in answer.untagged[0]


async def test_capabilities_change_with_login(imap):
    async with await imap.connect() as client:
        answer = await client.ok('LOGIN jane@example.org "correct horse battery"')
        assert answer.code == "CAPABILITY"
        listed = (await client.ok("CAPABILITY")).untagged[0]
        assert b"IDLE" in listed
        assert b"MOVE" in listed
        assert b"AUTH=" not in listed
        assert b"STARTTLS" not in listed


async def test_wrong_password_and_unknown_user_get_the_same_answer(imap):
    async with await imap.connect() as client:
        wrong = await client.no("LOGIN jane@example.org wrong", code="AUTHENTICATIONFAILED")
        unknown = await client.no("LOGIN john@example.org wrong", code="AUTHENTICATIONFAILED")
        assert wrong.text == unknown.text


async def test_third_failed_login_ends_the_connection(imap):
    async with await imap.connect() as client:
        await client.no("LOGIN a b")
        await client.no("LOGIN a b")
        answer = await client.no("LOGIN a b")
        assert answer.lines("BYE")
        assert await client.closed() == b""


async def test_failed_login_is_delayed_without_holding_up_others(start_imap, limits):
    imap = await start_imap(limits=limits(login_delay=(0.6, 0.7)))
    async with await imap.connect() as slow, await imap.login() as other:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tag = await slow.start("LOGIN a b")
        for _ in range(20):
            await other.ok("NOOP")
        assert loop.time() - begun < 0.5
        assert (await slow.answer(tag)).status == "NO"
        assert loop.time() - begun >= 0.6


async def test_commands_of_other_states_are_bad(imap):
    async with await imap.connect() as client:
        await client.bad("SELECT INBOX")
        await client.bad("FETCH 1 FLAGS")
        await client.login("jane@example.org", "correct horse battery")
        await client.bad("LOGIN a b")
        await client.bad("FETCH 1 FLAGS")
        await client.bad("STARTTLS")


async def test_logout_says_bye_first(imap):
    async with await imap.login() as client:
        answer = await client.ok("LOGOUT")
        assert answer.untagged[0].startswith(b"BYE ")
        assert await client.closed() == b""


async def test_twenty_bad_commands_in_a_row_end_the_connection(imap):
    async with await imap.connect() as client:
        for _ in range(19):
            await client.bad("NONSENSE")
        await client.ok("NOOP")
        for _ in range(19):
            await client.bad("NONSENSE")
        await client.start("NONSENSE")
        assert b"* BYE" in await client.closed()


async def test_pipelined_commands_are_answered_in_order(imap):
    async with await imap.login() as client:
        await client.send(b"".join(b"p%d NOOP\r\n" % n for n in range(200)))
        for n in range(200):
            assert (await client.line()).startswith(b"p%d OK" % n)


async def test_half_closed_connection_still_gets_its_answers(imap):
    async with await imap.connect() as client:
        await client.send(b'a LOGIN jane@example.org "correct horse battery"\r\nb NOOP\r\n')
        client._writer.write_eof()
        rest = await client.closed()
        assert b"a OK" in rest
        assert b"b OK" in rest


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
)
async def test_http_and_tls_on_the_plain_port_end_the_connection(imap, data):
    async with await imap.connect() as client:
        await client.send(data)
        assert (await client.closed()).startswith(b"* BYE")


async def test_namespace_and_id(imap):
    async with await imap.connect() as client:
        assert (await client.ok("ID NIL")).untagged == [b'ID ("name" "MailRaven")']
        await client.login("jane@example.org", "correct horse battery")
        assert b'"version"' in (await client.ok('ID ("name" "tester")')).untagged[0]
        assert (await client.ok("NAMESPACE")).untagged == [b'NAMESPACE (("" "/")) NIL NIL']


async def test_silent_stranger_is_closed(start_imap, limits):
    imap = await start_imap(limits=limits(login_timeout=0.2))
    async with await imap.connect() as client:
        assert (await client.closed()).startswith(b"* BYE")


async def test_trickling_stranger_is_closed_too(start_imap, limits):
    imap = await start_imap(limits=limits(login_timeout=0.4))
    async with await imap.connect() as client:
        reading = asyncio.create_task(client.closed())
        for _ in range(200):
            if reading.done():
                break
            await client.send(b"x")
            await asyncio.wait([reading], timeout=0.05)
        assert b"* BYE" in await reading


async def test_silent_session_is_closed_also_in_idle(start_imap, limits):
    imap = await start_imap(limits=limits(idle_timeout=0.4))
    async with await imap.login("INBOX") as silent, await imap.login("INBOX") as idling:
        await idling.idle()
        assert (await silent.closed()).startswith(b"* BYE")
        assert (await idling.closed()).startswith(b"* BYE")


async def test_literal_that_never_comes_times_out(start_imap, limits):
    imap = await start_imap(limits=limits(stalled_timeout=0.3))
    async with await imap.login() as client:
        await client.start("APPEND INBOX {100}")
        assert (await client.line()).startswith(b"+")
        await client.send(b"only this")
        assert b"* BYE" in await client.closed()


async def test_one_connection_too_many_is_told_so(start_imap, limits):
    imap = await start_imap(limits=limits(connections=1))
    async with await imap.connect(), await imap.connect() as second:
        assert second.greeting.startswith(b"* BYE")


async def test_sessions_of_a_suspended_account_end(start_imap, limits):
    imap = await start_imap(limits=limits(accounts_interval=0.05))
    async with await imap.login() as client, await imap.connect() as stranger:
        await client.ok("NOOP")
        await imap.directory.set_suspended("jane@example.org", True)
        assert (await client.closed()).startswith(b"* BYE")
        await stranger.ok("NOOP")


async def test_client_that_sends_and_does_not_read_is_not_listened_to(imap):
    async with await imap.login() as client:
        client._writer.transport.pause_reading()
        connection = next(iter(imap.server.connections))
        refused = b"x APPEND INBOX {999999999}\r\n" * 1000
        sent = 0
        while not connection._reading_paused:
            client._writer.write(refused)
            sent += 1000
            await asyncio.sleep(0)
        assert connection._transport.get_write_buffer_size() < 1_000_000
        assert connection._receiver.buffered < 1_000_000
        client._writer.transport.resume_reading()
        for _ in range(sent):
            assert (await client.line()).startswith(b"x NO [TOOBIG]")
        await client.ok("NOOP")
