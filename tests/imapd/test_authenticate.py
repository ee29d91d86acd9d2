"""AUTHENTICATE PLAIN with and without an initial response."""

from __future__ import annotations

import base64

SECRET = b"correct horse battery"
PLAIN = base64.b64encode(b"\0jane@example.org\0" + SECRET)


async def test_bad_syntax(imap):
    async with await imap.connect() as client:
        await client.bad("AUTHENTICATE")
        await client.bad("AUTHENTICATE PLAIN not-base64!")
        await client.bad("AUTHENTICATE PLAIN AAAA extra")
        await client.no("AUTHENTICATE NONSENSE")
        await client.bad("AUTHENTICATE PLAIN", b"&&&\r\n")
        await client.bad("AUTHENTICATE PLAIN", base64.b64encode(b"no fields") + b"\r\n")
        await client.ok("NOOP")


async def test_initial_response(imap):
    async with await imap.connect() as client:
        answer = await client.ok(b"AUTHENTICATE PLAIN " + PLAIN)
        assert answer.code == "CAPABILITY"


async def test_challenge(imap):
    async with await imap.connect() as client:
        await client.ok("AUTHENTICATE plain", PLAIN + b"\r\n")
        await client.ok("SELECT INBOX")


async def test_response_in_pieces(imap):
    async with await imap.connect() as client:
        tag = await client.start("AUTHENTICATE PLAIN")
        assert await client.line() == b"+ "
        await client.send(PLAIN[:7])
        await client.send(PLAIN[7:] + b"\r")
        await client.send(b"\nx1 NOOP\r\n")
        assert (await client.answer(tag)).status == "OK"
        assert (await client.line()).startswith(b"x1 OK")


async def test_cancel(imap):
    async with await imap.connect() as client:
        await client.bad("AUTHENTICATE PLAIN", b"*\r\n")
        await client.ok("NOOP")


async def test_wrong_password(imap):
    async with await imap.connect() as client:
        await client.no(
            b"AUTHENTICATE PLAIN " + base64.b64encode(b"\0jane@example.org\0wrong password"),
            code="AUTHENTICATIONFAILED",
        )


async def test_nobody_acts_for_another(imap):
    async with await imap.connect() as client:
        other = base64.b64encode(b"john@example.org\0jane@example.org\0" + SECRET)
        await client.no(b"AUTHENTICATE PLAIN " + other, code="AUTHORIZATIONFAILED")


async def test_too_long_a_response_is_refused(imap):
    async with await imap.connect() as client:
        await client.bad("AUTHENTICATE PLAIN", b"A" * 9000 + b"\r\n")
        await client.ok("NOOP")


async def test_client_that_leaves_in_the_middle(imap):
    client = await imap.connect()
    await client.start("AUTHENTICATE PLAIN")
    await client.line()
    await client.close()
    async with await imap.connect() as other:
        await other.ok("NOOP")
