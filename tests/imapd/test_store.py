"""STORE and UID STORE."""

from __future__ import annotations

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def test_bad_syntax(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        for text in (
            "STORE",
            "STORE 1",
            "STORE 1 FLAGS",
            "STORE 1 *FLAGS (\\Seen)",
            "STORE 1 FLAGS (\\Recent)",
            "STORE 1 FLAGS (\\Nonsense)",
            "STORE 1 FLAGS (\\Seen",
            "STORE 2 FLAGS (\\Seen)",
            "STORE 4294967297 FLAGS (\\Seen)",
        ):
            await client.bad(text)
        assert (await client.ok("FETCH 1 FLAGS")).untagged == [b"1 FETCH (FLAGS (\\Recent))"]


async def test_add_remove_replace(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login() as first:
        await first.ok("SELECT INBOX")
    async with await imap.login("INBOX") as client:
        for command, flags in (
            ("+FLAGS (\\Seen \\flagged)", b"\\Seen \\Flagged"),
            ("+FLAGS \\Seen \\Answered", b"\\Seen \\Answered \\Flagged"),
            ("-FLAGS (\\Seen)", b"\\Answered \\Flagged"),
            ("-FLAGS (never-used)", b"\\Answered \\Flagged"),
            ("FLAGS (\\Draft)", b"\\Draft"),
            ("FLAGS ()", b""),
        ):
            assert (await client.ok(f"STORE 1 {command}")).untagged == [b"1 FETCH (FLAGS (%b))" % flags], command
            assert (await client.ok("UID STORE 1 -FLAGS ()")).untagged == [b"1 FETCH (UID 1 FLAGS (%b))" % flags]


async def test_silent_store_tells_others_only(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        assert (await client.ok("STORE 1 +FLAGS.SILENT (\\Seen)")).untagged == []
        assert (await client.ok("NOOP")).untagged == []
        assert (await other.ok("NOOP")).untagged == [b"1 FETCH (UID 1 FLAGS (\\Seen))"]


async def test_store_tells_of_expunged_messages_only_when_it_may(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        await other.ok("STORE 1 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        answer = await client.ok("STORE 1:3 +FLAGS (\\Seen)")
        assert not answer.lines("EXPUNGE")
        assert [line.split()[0] for line in answer.lines("FETCH")] == [b"2", b"3"]
        await imap.deliver(MESSAGE)
        answer = await client.ok("UID STORE 3 +FLAGS (\\Flagged)")
        assert answer.lines("EXPUNGE") == [b"1 EXPUNGE"]
        assert b"3 EXISTS" in answer.untagged
        assert (await client.ok("FETCH 3 UID")).untagged == [b"3 FETCH (UID 4)"]


async def test_flags_of_two_sessions_are_not_lost(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as one, await imap.login("INBOX") as two:
        first = await one.start("STORE 1 +FLAGS (\\Seen)")
        second = await two.start("STORE 1 +FLAGS (\\Flagged)")
        await one.answer(first)
        await two.answer(second)
        await one.ok("NOOP")
        assert (await one.ok("FETCH 1 FLAGS")).untagged[0].startswith(b"1 FETCH (FLAGS (\\Seen \\Flagged")


async def test_many_messages(imap):
    for _ in range(600):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        assert len((await client.ok("STORE 1:* +FLAGS (\\Seen)")).untagged) == 600
        assert (await client.ok("STATUS INBOX (UNSEEN)")).untagged == [b"STATUS INBOX (UNSEEN 0)"]
