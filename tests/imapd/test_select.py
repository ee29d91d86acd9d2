"""SELECT, EXAMINE, CLOSE, UNSELECT; \\Recent."""

from __future__ import annotations

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


async def test_responses_of_select(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login() as client:
        answer = await client.ok("SELECT INBOX")
        info = await imap.mailstore.mailbox(imap.account, "INBOX")
        assert answer.code == "READ-WRITE"
        assert answer.untagged == [
            b"FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)",
            b"OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*)] Flags that stay",
            b"3 EXISTS",
            b"3 RECENT",
            b"OK [UNSEEN 1] First unseen message",
            b"OK [UIDVALIDITY %d] UIDs are valid" % info.uidvalidity,
            b"OK [UIDNEXT 4] Predicted next UID",
            b"OK [HIGHESTMODSEQ %d] Highest" % info.modseq,
            b"OK [MAILBOXID (F%d)] Its id" % info.id,
        ]


async def test_first_unseen(imap):
    for _ in range(3):
        await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 1 +FLAGS (\\Seen)")
        assert b"OK [UNSEEN 2] First unseen message" in (await client.ok("SELECT INBOX")).untagged
        await client.ok("STORE 2:3 +FLAGS (\\Seen)")
        assert not any(b"UNSEEN" in line for line in (await client.ok("SELECT INBOX")).untagged)


async def test_recent_is_claimed_by_one_select_only(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as first, await imap.login() as second:
        assert (await first.ok("FETCH 1 FLAGS")).untagged == [b"1 FETCH (FLAGS (\\Recent))"]
        assert b"0 RECENT" in (await second.ok("SELECT INBOX")).untagged
        assert (await second.ok("FETCH 1 FLAGS")).untagged == [b"1 FETCH (FLAGS ())"]


async def test_examine_claims_no_recent_and_changes_nothing(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login() as client:
        answer = await client.ok("EXAMINE INBOX")
        assert answer.code == "READ-ONLY"
        assert b"1 RECENT" in answer.untagged
        assert b"OK [PERMANENTFLAGS ()] No flag can be changed" in answer.untagged
        await client.ok("FETCH 1 BODY[]")
        for command in ("STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Trash", "UID MOVE 1 Trash"):
            await client.no(command, code="READ-ONLY")
        await client.ok("CLOSE")
        answer = await client.ok("SELECT INBOX")
        assert b"1 RECENT" in answer.untagged
        assert b"OK [UNSEEN 1] First unseen message" in answer.untagged


async def test_what_came_while_it_was_open_is_not_recent_again(imap):
    async with await imap.login("INBOX") as client:
        await imap.deliver(MESSAGE)
        assert b"1 RECENT" in (await client.ok("NOOP")).untagged
        await client.ok("UNSELECT")
        assert b"0 RECENT" in (await client.ok("SELECT INBOX")).untagged


async def test_failing_select_leaves_nothing_selected(imap):
    async with await imap.login("INBOX") as client:
        await client.no("SELECT nothing", code="NONEXISTENT")
        await client.bad("FETCH 1 FLAGS")


async def test_close_expunges_silently_and_unselect_does_not(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 1 +FLAGS (\\Deleted)")
        await client.ok("UNSELECT")
        await client.bad("CLOSE")
        assert b"1 EXISTS" in (await client.ok("SELECT INBOX")).untagged
        assert (await client.ok("CLOSE")).untagged == []
        assert b"0 EXISTS" in (await client.ok("SELECT INBOX")).untagged


async def test_keywords_are_announced(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        answer = await client.ok("STORE 1 +FLAGS ($Forwarded)")
        assert answer.untagged[0] == b"FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded)"
        assert b"$Forwarded" in answer.untagged[2]
        seen = (await other.ok("NOOP")).untagged
        assert seen[0] == answer.untagged[0]
        assert seen[2] == b"1 FETCH (UID 1 FLAGS ($Forwarded))"


async def test_no_new_keywords_are_offered_when_the_mailbox_is_full_of_them(imap):
    await imap.deliver(MESSAGE)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 1 +FLAGS (" + " ".join(f"k{n}" for n in range(58)) + ")")
        await client.no("STORE 1 +FLAGS (one-more)", code="LIMIT")
        answer = await client.ok("SELECT INBOX")
        assert not any(b"\\*" in line for line in answer.untagged)
