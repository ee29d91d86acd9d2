"""FETCH and UID FETCH."""

from __future__ import annotations

import asyncio
import re

import pytest

TEXT = (
    b"From: Ann <ann@example.org>\r\nTo: b@example.org\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\n"
    b"line one\r\nline two\r\n"
)
MULTIPART = (
    b"From: ann@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n"
    b"--b--\r\n"
)


ITEMS = [
    ("RFC822.SIZE", b"1 FETCH (RFC822.SIZE %d)" % len(TEXT)),
    ("(UID FLAGS)", b"1 FETCH (UID 1 FLAGS (\\Recent))"),
    ("BODY.PEEK[]", b"1 FETCH (BODY[] {%d}\r\n%b)" % (len(TEXT), TEXT)),
    ("RFC822.HEADER", b"1 FETCH (RFC822.HEADER {%d}\r\n%b)" % (TEXT.index(b"line"), TEXT[: TEXT.index(b"line")])),
    ("BODY.PEEK[TEXT]", b"1 FETCH (BODY[TEXT] {20}\r\nline one\r\nline two\r\n)"),
    ("BODY.PEEK[]<5.3>", b"1 FETCH (BODY[]<5> {3}\r\n An)"),
    ("BODY.PEEK[TEXT]<15.100>", b"1 FETCH (BODY[TEXT]<15> {5}\r\ntwo\r\n)"),
    ("BODY.PEEK[]<9999.3>", b"1 FETCH (BODY[]<9999> {0}\r\n)"),
    (
        "BODY.PEEK[HEADER.FIELDS (Subject X)]",
        b"1 FETCH (BODY[HEADER.FIELDS (Subject X)] {18}\r\nSubject: hello\r\n\r\n)",
    ),
    ("BODY.PEEK[1]", b"1 FETCH (BODY[1] {20}\r\nline one\r\nline two\r\n)"),
    ("BODY.PEEK[2]", b"1 FETCH (BODY[2] NIL)"),
    (
        "BODY",
        b'1 FETCH (BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 20 2))',
    ),
]


async def test_bad_syntax(imap):
    await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client:
        for text in (
            "FETCH",
            "FETCH 1",
            "FETCH 1 NONSENSE",
            "FETCH 1 (FLAGS",
            "FETCH 1 ()",
            "FETCH 0 FLAGS",
            "FETCH 1:0 FLAGS",
            "FETCH a FLAGS",
            "FETCH 4294967296 FLAGS",
            "UID FETCH 4294967296 FLAGS",
            "FETCH 1 BODY[",
            "FETCH 1 BODY[MIME]",
            "FETCH 1 BODY[]<0>",
            "FETCH 1 BODY[]<0.0>",
            "FETCH 1 BODY[HEADER.FIELDS ()]",
            "FETCH 2 FLAGS",
            "FETCH 1:2 FLAGS",
            "FETCH 1 FLAGS extra",
            "FETCH 1 FLAGS (CHANGEDSINCE)",
            "FETCH 1 FLAGS (VANISHED)",
            "UID FETCH 1 FLAGS (VANISHED)",
            "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",  # before ENABLE QRESYNC
            "FETCH 1 FLAGS (PARTIAL 1:2)",
            "UID FETCH 1 FLAGS (PARTIAL 1:-2)",
        ):
            await client.bad(text)
            await client.ok("FETCH 1 FLAGS")


async def fetched(client, items, what="FETCH 1"):
    answer = await client.ok(f"{what} {items}")
    return b"\n".join(answer.lines("FETCH"))


async def test_items(imap):
    await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client:
        for items, expected in ITEMS:
            assert (await fetched(client, items)).lower() == expected.lower(), items


async def test_envelope_and_structure(imap):
    await imap.deliver(MULTIPART)
    async with await imap.login("INBOX") as client:
        envelope = await fetched(client, "ENVELOPE")
        assert envelope.startswith(b'1 FETCH (ENVELOPE (NIL "parts" ((NIL NIL "ann" "example.org"))')
        assert b'"MIXED" ("BOUNDARY" "b")' in (await fetched(client, "BODYSTRUCTURE")).upper().replace(b'"B"', b'"b"')
        assert b"BOUNDARY" not in (await fetched(client, "BODY")).upper()
        assert (await fetched(client, "BODY.PEEK[2.TEXT]")) == b"1 FETCH (BODY[2.TEXT] {10}\r\ninner body)"
        assert (
            await fetched(client, "BODY.PEEK[2.HEADER]")
        ) == b"1 FETCH (BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n)"
        both = await fetched(client, "(BODY.PEEK[1] BODY.PEEK[1.MIME])")
        assert both == b"1 FETCH (BODY[1] {5}\r\nfirst BODY[1.MIME] {28}\r\nContent-Type: text/plain\r\n\r\n)"


@pytest.mark.parametrize(
    ("macro", "names"),
    [
        ("FAST", [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"]),
        ("ALL", [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"]),
        ("FULL", [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"]),
    ],
)
async def test_macros(imap, macro, names):
    await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client:
        answer = await fetched(client, macro)
        assert re.findall(rb"[(\s](FLAGS|INTERNALDATE|RFC822.SIZE|ENVELOPE|BODY) ", answer) == names


async def test_body_sets_seen_and_says_so_once(imap):
    await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        answer = await client.ok("FETCH 1 BODY[TEXT]")
        assert answer.untagged == [b"1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {20}\r\nline one\r\nline two\r\n)"]
        assert (await client.ok("FETCH 1 BODY[TEXT]")).untagged[0].startswith(b"1 FETCH (BODY[TEXT]")
        assert (await other.ok("NOOP")).lines("FETCH") == [b"1 FETCH (UID 1 FLAGS (\\Seen))"]


async def test_prefix_of_delivery_is_part_of_the_message(imap):
    await imap.deliver(TEXT, prefix=b"Return-Path: <x@y>\r\n")
    async with await imap.login("INBOX") as client:
        assert await fetched(client, "BODY.PEEK[]<0.20>") == b"1 FETCH (BODY[]<0> {20}\r\nReturn-Path: <x@y>\r\n)"
        assert b"RFC822.SIZE %d" % (len(TEXT) + 20) in await fetched(client, "RFC822.SIZE")


async def test_uid_fetch_has_the_uid_and_ignores_unknown_ones(imap):
    for _ in range(3):
        await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        await client.ok("EXPUNGE")
        answer = await client.ok("UID FETCH 1:4294967295 RFC822.SIZE")
        assert [line.split()[3] for line in answer.untagged] == [b"1", b"3"]
        assert (await client.ok("UID FETCH 2 FLAGS")).untagged == []
        assert len((await client.ok("UID FETCH 99:* FLAGS")).untagged) == 1  # RFC 9051 §9: `*` is the last one


async def test_empty_mailbox(imap):
    async with await imap.login("INBOX") as client:
        assert (await client.ok("FETCH 1:* FLAGS")).untagged == []
        assert (await client.ok("UID FETCH 1:* FLAGS")).untagged == []


async def test_message_expunged_elsewhere(imap):
    for _ in range(3):
        await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        await other.ok("STORE 2 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        answer = await client.no("FETCH 1:3 (UID ENVELOPE)", code="EXPUNGEISSUED")
        assert [line.split()[0] for line in answer.untagged if b"ENVELOPE" in line] == [b"1", b"3"]
        assert not answer.lines("EXPUNGE")
        answer = await client.ok("UID FETCH 1:3 (BODY.PEEK[])")
        assert [line.split()[0] for line in answer.untagged if b"BODY" in line] == [b"1", b"3"]
        assert answer.lines("EXPUNGE") == [b"2 EXPUNGE"]


async def test_scattered_sets(imap):
    for _ in range(9):
        await imap.deliver(TEXT)
    async with await imap.login("INBOX") as client:
        answer = await client.ok("FETCH 9,1,3:4,4:2 (UID RFC822.SIZE)")
        assert [int(line.split()[0]) for line in answer.untagged] == [1, 2, 3, 4, 9]


async def test_large_message_in_slices(imap):
    body = b"".join(b"%07d\r\n" % n for n in range(200_000))
    raw = b"Subject: large\r\nContent-Type: text/plain\r\n\r\n" + body
    await imap.deliver(raw)
    async with await imap.login("INBOX") as client:
        whole = await fetched(client, "BODY.PEEK[]")
        assert whole == b"1 FETCH (BODY[] {%d}\r\n%b)" % (len(raw), raw)
        assert (await fetched(client, "BODY.PEEK[]<1000000.9>")).endswith(raw[1000000:1000009] + b")")
        assert (await fetched(client, "BODY.PEEK[TEXT]<900000.9>")).endswith(body[900000:900009] + b")")
        assert (await fetched(client, "BODY.PEEK[HEADER]")).endswith(raw[: -len(body)] + b")")
        assert (await fetched(client, "BODY.PEEK[1]<0.9>")).endswith(body[:9] + b")")
        # More than the message in all: one reading serves every slice.
        two = await fetched(client, "(BODY.PEEK[]<0.1700000> BODY.PEEK[]<5.1700000>)")
        assert two == b"1 FETCH (BODY[]<0> {1700000}\r\n%b BODY[]<5> {1700000}\r\n%b)" % (raw[:1700000], raw[5:1700005])


async def test_client_that_does_not_read_holds_nobody_up(imap):
    raw = b"Subject: x\r\n\r\n" + b"x" * 1_000_000
    for _ in range(12):
        await imap.deliver(raw)
    async with await imap.login("INBOX") as lazy, await imap.login("INBOX") as other:
        tag = await lazy.start("FETCH 1:* BODY.PEEK[]")
        lazy._writer.transport.pause_reading()
        for _ in range(50):
            await other.ok("NOOP")
        connection = max(imap.server.connections, key=lambda one: one._transport.get_write_buffer_size())
        assert 0 < connection._transport.get_write_buffer_size() < 3_000_000
        lazy._writer.transport.resume_reading()
        answer = await asyncio.wait_for(lazy.answer(tag), 20)
        assert len(answer.untagged) == 12


async def test_broken_messages_never_break_fetch(imap):
    broken = [
        b"",
        b"\0\0\0",
        b"no header at all",
        b"Subject: \xff\xfe\0\r\n\r\n\0",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n",
        b"Subject: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(10_000)),
    ]
    for raw in broken:
        await imap.deliver(raw)
    async with await imap.login("INBOX") as client:
        answer = await client.ok("FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[HEADER])")
        assert len(answer.lines("FETCH")) == len(broken)
        for line, raw in zip(answer.untagged, broken, strict=True):
            assert b"BODY[] {%d}\r\n%b" % (len(raw), raw) in line


async def test_structures_of_very_many_parts_are_all_sent(imap):
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    raw = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 9000 + b"--b--\r\n"
    for _ in range(6):
        await imap.deliver(raw)
    async with await imap.login("INBOX") as client:
        answer = await client.ok("FETCH 1:* (BODYSTRUCTURE)")
        assert [line.split(b" ", 1)[0] for line in answer.lines("FETCH")] == [b"%d" % n for n in range(1, 7)]
        assert len({line.split(b" ", 1)[1] for line in answer.lines("FETCH")}) == 1
