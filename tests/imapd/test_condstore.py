"""CONDSTORE (RFC 7162 §3.1): MODSEQ of messages, conditional STORE, what changed since."""

from __future__ import annotations

import re

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def highest(client, mailbox="INBOX"):
    answer = await client.ok(f"STATUS {mailbox} (HIGHESTMODSEQ)")
    return int(re.search(rb"HIGHESTMODSEQ (\d+)", answer.untagged[0])[1])


async def test_select_says_the_highest(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login() as client:
        answer = await client.ok("SELECT INBOX (CONDSTORE)")
        assert f"OK [HIGHESTMODSEQ {await highest(client)}] Highest".encode() in answer.untagged


async def test_changes_of_flags_show_modseq_once_it_is_on(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as one, await imap.login("INBOX") as other:
        plain = await one.ok("STORE 1 +FLAGS (\\Flagged)")
        assert plain.lines("FETCH") == [b"1 FETCH (FLAGS (\\Flagged \\Recent))"]
        await one.ok("ENABLE CONDSTORE")
        await other.ok("STORE 1 +FLAGS (\\Seen)")
        heard = (await one.ok("NOOP")).lines("FETCH")
        assert heard == [b"1 FETCH (UID 1 FLAGS (\\Seen \\Flagged \\Recent) MODSEQ (%d))" % await highest(one)]
        silent = await one.ok("UID STORE 1 +FLAGS.SILENT (\\Answered)")
        assert silent.lines("FETCH") == [b"1 FETCH (UID 1 MODSEQ (%d))" % await highest(one)]
        seen = await one.ok("STORE 1 -FLAGS (\\Seen)")
        assert seen.lines("FETCH")[0].endswith(b"MODSEQ (%d))" % await highest(one))
        fetched = await one.ok("FETCH 1 BODY[TEXT]")
        assert b"MODSEQ (%d)" % await highest(one) in fetched.lines("FETCH")[0]  # it has set \Seen


async def test_a_conditional_store_leaves_out_what_changed_since(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as one, await imap.login("INBOX") as other:
        before = await highest(one)
        await other.ok("STORE 2 +FLAGS (\\Flagged)")
        answer = await one.ok(f"STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\\Seen)")
        assert answer.text.startswith("[MODIFIED 2] ")
        shown = {line.split(b" ")[0]: line for line in answer.lines("FETCH")}
        assert set(shown) == {b"1", b"2", b"3"}
        assert b"FLAGS (\\Flagged" in shown[b"2"]  # what it is now
        assert b"FLAGS" not in shown[b"1"]
        answer = await one.ok(f"UID STORE 2 (UNCHANGEDSINCE {await highest(one)}) +FLAGS (\\Seen)")
        assert not answer.code
        flags = (await one.ok("FETCH 1:3 FLAGS")).lines("FETCH")
        assert all(b"\\Seen" in line for line in flags)


async def test_fetch_of_what_changed_since(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        before = await highest(client)
        await client.ok("STORE 3 +FLAGS (\\Flagged)")
        lines = (await client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")).lines("FETCH")
        assert lines == [b"3 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (%d))" % await highest(client)]
        assert not (await client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {await highest(client)})")).untagged


async def test_search_by_modseq(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 2 +FLAGS (\\Flagged)")
        now = await highest(client)
        assert (await client.ok(f"SEARCH MODSEQ {now}")).untagged == [b"SEARCH 2 (MODSEQ %d)" % now]
        assert (await client.ok(f'SEARCH MODSEQ "/flags/\\\\draft" all {now + 1}')).untagged == [b"SEARCH"]
        answer = await client.ok(f"UID SEARCH RETURN (COUNT) MODSEQ {now}")
        assert answer.untagged[0].endswith(b"UID COUNT 1 MODSEQ %d" % now)
