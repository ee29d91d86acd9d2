"""COPY, MOVE, EXPUNGE and their UID variants."""

from __future__ import annotations

import pytest

MESSAGES = [b"Subject: %d\r\n\r\nb\r\n" % n for n in range(1, 4)]


@pytest.fixture
async def client(imap):
    for raw in MESSAGES:
        await imap.deliver(raw)
    session = await imap.login("INBOX")
    yield session
    await session.close()


@pytest.mark.parametrize("command", ["COPY", "MOVE", "UID COPY", "UID MOVE"])
async def test_bad_syntax(client, command):
    for text in ("", " 1", " 1 ", " x Trash", " 0 Trash", " 1 Trash extra", " 4294967296 Trash"):
        await client.bad(command + text)


@pytest.mark.parametrize("command", ["COPY", "MOVE", "UID COPY", "UID MOVE"])
async def test_missing_target_says_trycreate(client, command):
    await client.no(f"{command} 1 nothing", code="TRYCREATE")
    assert len((await client.ok("FETCH 1:* UID")).untagged) == 3


@pytest.mark.parametrize("command", ["EXPUNGE", "UID EXPUNGE"])
async def test_bad_syntax_of_expunge(client, command):
    await client.bad(command + " x")
    await client.bad(command + " ")


async def test_numbers_beyond_the_mailbox_are_bad(client):
    await client.bad("COPY 4 Trash")
    await client.bad("MOVE 1:4 Trash")


async def test_copy(client, imap):
    await client.ok("STORE 2 +FLAGS (\\Flagged $Label)")
    answer = await client.ok("COPY 2:3 Trash")
    target = await imap.mailstore.mailbox(imap.account, "Trash")
    assert answer.text == f"[COPYUID {target.uidvalidity} 2:3 1:2] COPY completed"
    await client.ok("SELECT Trash")
    flags = (await client.ok("FETCH 1:2 (FLAGS BODY.PEEK[])")).untagged
    assert b"FLAGS (\\Flagged $Label \\Recent)" in flags[0]
    assert MESSAGES[1] in flags[0]
    assert MESSAGES[2] in flags[1]


async def test_copy_into_the_same_mailbox(client):
    answer = await client.ok("UID COPY 1 INBOX")
    assert answer.text.split("]")[0].endswith(" 1 4")
    assert b"4 EXISTS" in answer.untagged


async def test_uid_copy_of_nothing(client):
    assert (await client.ok("UID COPY 99 Trash")).code == ""


async def test_move_gives_copyuid_then_expunge(client, imap):
    answer = await client.ok("MOVE 1,3 Trash")
    target = await imap.mailstore.mailbox(imap.account, "Trash")
    assert answer.untagged == [
        b"OK [COPYUID %d 1,3 1:2] Moved" % target.uidvalidity,
        b"3 EXPUNGE",
        b"1 EXPUNGE",
    ]
    assert (await client.ok("FETCH 1:* UID")).untagged == [b"1 FETCH (UID 2)"]


async def test_uid_move_is_seen_by_another_session(client, imap):
    async with await imap.login("INBOX") as other:
        await client.ok("UID MOVE 2 Archive")
        assert (await other.ok("NOOP")).untagged == [b"2 EXPUNGE"]


async def test_copy_over_quota_copies_nothing(client, imap):
    used, _ = await imap.mailstore.usage(imap.account)
    await imap.directory.set_quota("jane@example.org", used + 1)
    await client.no("COPY 1:* Trash", code="OVERQUOTA")
    assert (await imap.mailstore.mailbox(imap.account, "Trash")).messages == 0
    await client.ok("MOVE 1 Trash")  # takes no more room than before


async def test_expunge_removes_what_is_deleted(client):
    await client.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    assert (await client.ok("EXPUNGE")).untagged == [b"3 EXPUNGE", b"1 EXPUNGE"]
    assert (await client.ok("EXPUNGE")).untagged == []


async def test_uid_expunge_removes_only_the_named(client):
    await client.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    assert (await client.ok("UID EXPUNGE 2:99")).untagged == [b"3 EXPUNGE", b"2 EXPUNGE"]
    assert (await client.ok("FETCH 1:* UID")).untagged == [b"1 FETCH (UID 1)"]


async def test_expunge_is_held_back_until_it_may_be_said(client, imap):
    async with await imap.login("INBOX") as other:
        await other.ok("STORE 2 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        await imap.deliver(MESSAGES[0])
        for command in ("FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Seen)", "SEARCH ALL"):
            answer = await client.ok(command)
            assert not answer.lines("EXPUNGE"), command
            assert not answer.lines("EXISTS"), command
        assert (await client.ok("FETCH 3 UID")).untagged[0] == b"3 FETCH (UID 3)"
        answer = await client.ok("NOOP")
        assert answer.lines("EXPUNGE") == [b"2 EXPUNGE"]
        assert answer.lines("EXISTS") == [b"3 EXISTS"]
        assert (await client.ok("FETCH 2:3 UID")).untagged == [b"2 FETCH (UID 3)", b"3 FETCH (UID 4)"]
