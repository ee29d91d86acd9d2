"""STARTTLS, implicit TLS, and where passwords are taken."""

from __future__ import annotations

import asyncio

LOGIN = 'LOGIN jane@example.org "correct horse battery"'


async def test_no_password_in_the_clear(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect() as client:
        assert b"LOGINDISABLED" in client.greeting
        assert b"AUTH=" not in client.greeting
        await client.no(LOGIN, code="PRIVACYREQUIRED")
        await client.no("AUTHENTICATE PLAIN", code="PRIVACYREQUIRED")


async def test_starttls_then_login(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect() as client:
        await client.start_tls(imap.client_tls)
        listed = (await client.ok("CAPABILITY")).untagged[0]
        assert b"AUTH=PLAIN" in listed
        assert b"STARTTLS" not in listed
        await client.ok(LOGIN)
        await client.bad("STARTTLS")


async def test_commands_sent_with_starttls_are_never_executed(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect() as client:
        await client.send(b"a STARTTLS\r\nb LOGIN jane@example.org wrong\r\n")
        rest = await client.closed()
        assert b"a OK" in rest
        assert b"\r\nb " not in rest


async def test_half_a_command_sent_with_starttls_is_never_completed(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect() as client:
        await client.send(b"a STARTTLS\r\nb NO")
        assert (await client.closed()).count(b"\r\n") == 1


async def test_failed_handshake_ends_the_connection(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect() as client:
        await client.ok("STARTTLS")
        await client.send(b"this is no handshake\r\n")
        await client.closed()
    async with await imap.connect() as client:
        await client.ok("NOOP")


async def test_handshake_that_never_comes_times_out(start_imap, limits):
    imap = await start_imap(plaintext=False, limits=limits(tls_timeout=0.3))
    async with await imap.connect() as client:
        await client.ok("STARTTLS")
        assert await client.closed() == b""


async def test_starttls_is_not_offered_without_a_listener_for_it(start_imap):
    imap = await start_imap(starttls=False)
    async with await imap.connect() as client:
        assert b"STARTTLS" not in client.greeting
        await client.bad("STARTTLS")


async def test_implicit_tls(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect_tls() as client:
        assert b"AUTH=PLAIN" in client.greeting
        assert b"STARTTLS" not in client.greeting
        await client.ok(LOGIN)
        await client.ok("SELECT INBOX")
        assert await imap.deliver(b"Subject: a\r\n\r\nb\r\n")
        await client.ok("LOGOUT")


async def test_idle_over_tls(start_imap):
    imap = await start_imap(plaintext=False)
    async with await imap.connect_tls() as client:
        await client.ok(LOGIN)
        await client.ok("SELECT INBOX")
        tag = await client.idle()
        await asyncio.gather(imap.deliver(b"Subject: a\r\n\r\nb\r\n"), _until(client, b"* 1 EXISTS"))
        assert (await client.done(tag)).status == "OK"


async def _until(client, wanted):
    while await client.line() != wanted:
        pass
