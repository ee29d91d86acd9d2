"""UNAUTHENTICATE (RFC 8437)."""

from __future__ import annotations

from mailraven.imapd.limits import Limits


async def test_another_user_may_log_in(imap):
    async with await imap.login("INBOX") as client:
        await client.ok("ENABLE QRESYNC")
        await client.ok("UNAUTHENTICATE")
        await client.bad('LIST "" *')
        await client.bad("UNAUTHENTICATE")
        await client.login("jane@example.org", "correct horse battery")
        await client.bad("SELECT INBOX (QRESYNC (1 1))")  # nothing of before is on
        await client.ok("SELECT INBOX")


async def test_the_limits_of_strangers_hold_again(imap):
    async with await imap.login() as client:
        await client.ok("UNAUTHENTICATE")
        too_much = Limits().before_login.line + 100
        await client.send(b"a LOGIN " + b"x" * too_much + b"\r\n")
        assert b"BAD" in await client.line()
