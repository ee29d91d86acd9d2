"""QRESYNC (RFC 7162 §3.2): a client that comes back learns in one round trip what it missed."""

from __future__ import annotations

import re

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def state(client, mailbox="INBOX"):
    """UIDVALIDITY and HIGHESTMODSEQ."""
    line = (await client.ok(f"STATUS {mailbox} (UIDVALIDITY HIGHESTMODSEQ)")).untagged[0]
    return [int(number) for number in re.search(rb"UIDVALIDITY (\d+) HIGHESTMODSEQ (\d+)", line).groups()]


async def test_it_has_to_be_enabled(imap):
    async with await imap.login() as client:
        await client.bad("SELECT INBOX (QRESYNC (1 1))")
        assert (await client.ok("ENABLE QRESYNC X-OTHER")).untagged == [b"ENABLED QRESYNC"]
        assert (await client.ok("ENABLE QRESYNC CONDSTORE")).untagged == [b"ENABLED"]
        for wrong in ("(QRESYNC)", "(QRESYNC (0 1))", "(QRESYNC (1 0))", "(QRESYNC (1 1 1:*))", "(QRESYNC (1 1 $))"):
            await client.bad(f"SELECT INBOX {wrong}")


async def test_what_was_missed(imap):
    for _ in range(6):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as other, await imap.login() as client:
        uidvalidity, modseq = await state(other)
        await other.ok("STORE 2,4 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        await other.ok("UID STORE 5 +FLAGS (\\Flagged)")
        await imap.deliver(MESSAGE)
        await client.ok("ENABLE QRESYNC")
        answer = await client.ok(f"SELECT INBOX (QRESYNC ({uidvalidity} {modseq} 1:6 (1,3 1,3)))")
        assert answer.lines("VANISHED") == [b"VANISHED (EARLIER) 2,4"]
        [changed] = answer.lines("FETCH")
        assert changed.startswith(b"3 FETCH (UID 5 FLAGS (\\Flagged) MODSEQ (")
        everything = await client.ok(f"SELECT INBOX (QRESYNC ({uidvalidity} {modseq}))")
        assert [line.split(b" FLAGS")[0] for line in everything.lines("FETCH")] == [
            b"3 FETCH (UID 5",
            b"5 FETCH (UID 7",
        ]
        assert b"OK [CLOSED] The mailbox before is closed" in everything.untagged
        assert not (await client.ok(f"SELECT INBOX (QRESYNC ({uidvalidity} {modseq} 1))")).lines("VANISHED")
        other_validity = await client.ok(f"SELECT INBOX (QRESYNC ({uidvalidity + 1} {modseq}))")
        assert not other_validity.lines("VANISHED")
        assert not other_validity.lines("FETCH")


async def test_vanished_takes_the_place_of_expunge(imap):
    for _ in range(4):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as other, await imap.login() as client:
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        await other.ok("STORE 1,2 +FLAGS.SILENT (\\Deleted)")
        await other.ok("EXPUNGE")
        heard = await client.ok("NOOP")
        assert heard.lines("VANISHED") == [b"VANISHED 1:2"]
        assert not heard.lines("EXPUNGE")
        await client.ok("UID STORE 4 +FLAGS.SILENT (\\Deleted)")
        answer = await client.ok("UID EXPUNGE 4")
        assert answer.lines("VANISHED") == [b"VANISHED 4"]
        assert answer.text.startswith(f"[HIGHESTMODSEQ {(await state(client))[1]}] ")
        await client.ok("CREATE Other")
        moved = await client.ok("UID MOVE 3 Other")
        assert moved.lines("VANISHED") == [b"VANISHED 3"]
        assert moved.code == "HIGHESTMODSEQ"
        idle = await client.idle()
        uid = await imap.deliver(MESSAGE)
        assert await client.line() == b"* 1 EXISTS"
        await other.ok("NOOP")
        await other.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        await other.ok("EXPUNGE")
        while not (line := await client.line()).startswith(b"* VANISHED"):
            pass
        assert line == b"* VANISHED %d" % uid
        await client.done(idle)


async def test_fetch_tells_what_vanished(imap):
    for _ in range(5):
        await imap.deliver(MESSAGE)
    async with await imap.login() as client:
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        _, modseq = await state(client)
        await client.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
        await client.ok("EXPUNGE")
        answer = await client.ok(f"UID FETCH 1:3 (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
        assert answer.untagged == [b"VANISHED (EARLIER) 2"]
        answer = await client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
        assert answer.untagged == [b"VANISHED (EARLIER) 2,4"]
