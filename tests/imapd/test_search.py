"""SEARCH and UID SEARCH."""

from __future__ import annotations

import datetime as dt

import pytest

from mailraven.mailstore import Upload

MESSAGES = [
    b"From: ann@example.org\r\nSubject: first\r\nDate: Thu, 01 Feb 2024 10:00:00 +0000\r\n\r\nalpha 100% sure\r\n",
    b"From: bob@example.org\r\nTo: ann@example.org\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbeta\r\n",
    b"From: cat@example.org\r\nCc: bob@example.org\r\nX-Spam: yes\r\n\r\n" + b"gamma " * 100 + b"\r\n",
]
DATES = [dt.datetime(2024, 2, day, 12, tzinfo=dt.UTC) for day in (1, 2, 3)]

KEYS = [
    ("ALL", "1 2 3"),
    ("SEEN", "1"),
    ("UNSEEN", "2 3"),
    ("UNSEEN UNDELETED", "2"),
    ("DELETED", "3"),
    ("FLAGGED", "3"),
    ("UNFLAGGED", "1 2"),
    ("ANSWERED", ""),
    ("DRAFT", ""),
    ("KEYWORD $label", "1"),
    ("UNKEYWORD $Label", "2 3"),
    ("KEYWORD unknown", ""),
    ("NEW", "2 3"),
    ("RECENT", "1 2 3"),
    ("OLD", ""),
    ("2:3", "2 3"),
    ("*", "3"),
    ("UID 2", "2"),
    ("UID 77:*", "3"),
    ("NOT UID 2", "1 3"),
    ("OR SEEN DELETED", "1 3"),
    ("OR OR SEEN DELETED UID 2", "1 2 3"),
    ("NOT (OR SEEN DELETED)", "2"),
    ("FROM ann", "1"),
    ("TO ann", "2"),
    ("CC bob", "3"),
    ("BCC x", ""),
    ("SUBJECT FIRST", "1"),
    ("HEADER X-Spam YES", "3"),
    ('HEADER X-Spam ""', "3"),
    ("HEADER Message-ID x", ""),
    ("BODY alpha", "1"),
    ("TEXT bob", "2 3"),
    ("NOT TEXT bob", "1"),
    ('BODY "100% s"', "1"),
    ('BODY "_00"', ""),
    ("LARGER 300", "3"),
    ("SMALLER 300", "1 2"),
    ("SINCE 2-Feb-2024", "2 3"),
    ("BEFORE 2-Feb-2024", "1"),
    ("ON 2-Feb-2024", "2"),
    ("SENTON 1-Feb-2024", "1"),
    ("SENTSINCE 1-Feb-2024", "1"),
    ("SENTBEFORE 1-Feb-2024", ""),
    ("YOUNGER 60", ""),
    ("OLDER 60", "1 2 3"),
    ("UNSEEN FROM bob", "2"),
    ("CHARSET US-ASCII FROM bob", "2"),
]


@pytest.fixture
async def client(imap):
    inbox = await imap.mailstore.mailbox(imap.account, "INBOX")
    uploads = [Upload(raw, internal_date=date) for raw, date in zip(MESSAGES, DATES, strict=True)]
    await imap.mailstore.append(imap.account, inbox.id, uploads)
    session = await imap.login("INBOX")
    await session.ok("STORE 1 +FLAGS.SILENT (\\Seen $Label)")
    await session.ok("STORE 3 +FLAGS.SILENT (\\Deleted \\Flagged)")
    yield session
    await session.close()


async def test_bad_syntax(client):
    for text in (
        "",
        " ",
        " NONSENSE",
        " NOT",
        " OR SEEN",
        " (SEEN",
        " SINCE yesterday",
        " LARGER x",
        " UID",
        " UID 4294967296",
        " 4",
        " HEADER Subject",
        " KEYWORD \\Seen",
        " RETURN ALL",
        " RETURN (MINIMUM) ALL",
        " RETURN (PARTIAL 0:1) ALL",
        " MODSEQ x",
        " " + "(" * 60 + "ALL" + ")" * 60,
        " CHARSET UTF-8 SUBJECT {2+}\r\n\xff\xfe".encode("latin-1"),
    ):
        await client.bad(b"SEARCH" + (text if isinstance(text, bytes) else text.encode()))
    await client.ok("SEARCH ALL")


async def test_keys(client):
    for keys, expected in KEYS:
        assert (await client.ok(f"SEARCH {keys}")).untagged == [f"SEARCH {expected}".rstrip().encode()], keys


async def test_charsets(client):
    text = "grüße".encode()
    assert (await client.ok(b"SEARCH CHARSET UTF-8 SUBJECT {%d+}\r\n%b" % (len(text), text))).untagged == [b"SEARCH 2"]
    text = "GRÜSSE".encode("latin-1")
    found = await client.ok(b"UID SEARCH CHARSET ISO-8859-1 SUBJECT {%d+}\r\n%b" % (len(text), text))
    assert found.untagged == [b"SEARCH 2"]
    await client.no("SEARCH CHARSET X-NONSENSE ALL", code="BADCHARSET")


async def test_uids_and_numbers_differ_after_an_expunge(client):
    await client.ok("STORE 1 +FLAGS (\\Deleted)")
    await client.ok("UID EXPUNGE 1")
    assert (await client.ok("SEARCH UNSEEN")).untagged == [b"SEARCH 1 2"]
    assert (await client.ok("UID SEARCH UNSEEN")).untagged == [b"SEARCH 2 3"]
    assert (await client.ok("UID SEARCH FROM example")).untagged == [b"SEARCH 2 3"]
    assert (await client.ok("SEARCH FROM example")).untagged == [b"SEARCH 1 2"]


async def test_only_announced_messages_are_found(client, imap):
    async with await imap.login("INBOX") as other:
        await other.ok("EXPUNGE")
        await imap.deliver(MESSAGES[0])
        await other.ok("NOOP")  # the process knows of it now
        assert (await client.ok("SEARCH FROM example")).untagged == [b"SEARCH 1 2"]
        answer = await client.ok("UID SEARCH FROM ann")
        assert answer.untagged[0] == b"SEARCH 1"
        assert answer.lines("EXPUNGE") == [b"3 EXPUNGE"]
        assert (await client.ok("UID SEARCH FROM ann")).untagged == [b"SEARCH 1 4"]


async def test_hundreds_of_ors(client):
    keys = "OR SUBJECT a " * 400 + "SUBJECT first"
    assert (await client.ok("SEARCH " + keys)).untagged[0].startswith(b"SEARCH 1")
