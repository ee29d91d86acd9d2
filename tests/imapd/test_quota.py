"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208)."""

from __future__ import annotations

MESSAGE = b"Subject: a\r\n\r\n" + b"x" * 5000 + b"\r\n"


async def limit(imap, octets):
    async with imap.database.acquire() as connection:
        await connection.execute("UPDATE account SET quota_bytes = $2 WHERE id = $1", imap.account, octets)


async def test_used_and_allowed_in_units_of_1024_octets(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login() as client:
        assert (await client.ok('GETQUOTA ""')).untagged == [b'QUOTA "" ()']
        await limit(imap, 1 << 20)
        assert (await client.ok('GETQUOTA ""')).untagged == [b'QUOTA "" (STORAGE 5 1024)']
        answer = await client.ok("GETQUOTAROOT INBOX")
        assert answer.untagged == [b'QUOTAROOT INBOX ""', b'QUOTA "" (STORAGE 5 1024)']


async def test_what_is_not_there_and_what_is_not_allowed(imap):
    async with await imap.login() as client:
        await client.no("GETQUOTA other", code="NONEXISTENT")
        await client.no("GETQUOTAROOT Nowhere", code="NONEXISTENT")
        await client.no('SETQUOTA "" (STORAGE 512)', code="NOPERM")
        for wrong in ("GETQUOTA", "GETQUOTAROOT", 'SETQUOTA ""', 'SETQUOTA "" (STORAGE)', 'GETQUOTA "" ""'):
            await client.bad(wrong)
