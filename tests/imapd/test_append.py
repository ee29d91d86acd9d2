"""APPEND: literals and their limits, flags, dates, quota, TRYCREATE."""

from __future__ import annotations

from dataclasses import replace

from mailraven import imap as protocol

MESSAGE = b"From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


async def test_bad_syntax(imap):
    async with await imap.login() as client:
        await client.bad("APPEND")
        await client.bad("APPEND INBOX")
        await client.bad("APPEND INBOX text")
        await client.bad('APPEND INBOX "not a date" {3}', b"abc\r\n")
        await client.bad("APPEND INBOX (\\Nonsense) {3}", b"abc\r\n")
        await client.bad("APPEND INBOX (\\Recent) {3}", b"abc\r\n")
        await client.bad("APPEND INBOX {3}", b"a\0c\r\n")
        await client.bad("APPEND INBOX {3} x")
        await client.ok("NOOP")


async def test_append_with_flags_and_date(imap):
    async with await imap.login("INBOX") as client:
        date = "17-Jul-1996 02:44:25 -0700"
        answer = await client.append("INBOX", MESSAGE, f'(\\Seen $Junk) "{date}"')
        info = await imap.mailstore.mailbox(imap.account, "INBOX")
        assert answer.text == f"[APPENDUID {info.uidvalidity} 1] APPEND completed"
        assert b"1 EXISTS" in answer.untagged
        fetched = (await client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])")).untagged[-1]
        assert b"FLAGS (\\Seen $Junk \\Recent)" in fetched
        assert b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"' in fetched
        assert MESSAGE in fetched


async def test_literal_plus(imap):
    async with await imap.login() as client:
        await client.ok(b"APPEND INBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE))


async def test_missing_mailbox_says_trycreate(imap):
    async with await imap.login() as client:
        answer = await client.append("nothing", MESSAGE)
        assert (answer.status, answer.code) == ("NO", "TRYCREATE")


async def test_empty_message_is_refused(imap):
    async with await imap.login() as client:
        assert (await client.append("INBOX", b"")).status == "NO"


async def test_too_large_a_message_is_refused_before_it_is_read(start_imap, limits):
    imap = await start_imap(limits=limits(signed_in=protocol.Limits(message=1000)))
    async with await imap.login() as client:
        await client.no("APPEND INBOX {1001}", code="TOOBIG")
        await client.no(b"APPEND INBOX {1001+}\r\n" + b"x" * 1001, code="TOOBIG")
        assert (await client.append("INBOX", b"x" * 1000)).status == "OK"


async def test_far_too_large_a_literal_that_does_not_wait_ends_the_connection(start_imap, limits):
    imap = await start_imap(limits=limits(signed_in=protocol.Limits(message=1000, discard=2000)))
    async with await imap.login() as client:
        tag = await client.start("APPEND INBOX {5000+}")
        rest = await client.closed()
        assert tag + b" NO [TOOBIG]" in rest
        assert b"* BYE" in rest


async def test_large_literals_are_for_append_only(imap):
    async with await imap.login() as client:
        await client.bad("SELECT {100000}")
        await client.bad(b"SELECT {300000+}\r\n" + b"x" * 300_000)
        await client.bad(b"SELECT {99999999999999999999}")
        await client.ok("NOOP")


async def test_strangers_get_small_literals_only(imap):
    async with await imap.connect() as client:
        await client.bad("LOGIN {5000}")
        await client.bad("APPEND INBOX {10}")
        await client.bad(b"LOGIN " + b"x" * 9000)
        await client.ok("LOGIN {16}", b"jane@example.org {21}\r\n", b"correct horse battery\r\n")


async def test_over_quota(imap):
    await imap.directory.set_quota("jane@example.org", 100)
    async with await imap.login() as client:
        assert (await client.append("INBOX", MESSAGE)).status == "OK"
        answer = await client.append("INBOX", MESSAGE * 2)
        assert (answer.status, answer.code) == ("NO", "OVERQUOTA")


async def test_append_to_the_mailbox_another_session_has_open(imap):
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        await client.append("INBOX", MESSAGE)
        assert b"1 EXISTS" in (await other.ok("NOOP")).untagged


async def test_client_that_leaves_in_the_middle_of_a_literal_leaves_nothing(imap):
    client = await imap.login()
    await client.start("APPEND INBOX {1000}")
    await client.line()
    await client.send(b"x" * 500)
    await client.close()
    assert (await imap.mailstore.mailbox(imap.account, "INBOX")).messages == 0


async def test_several_messages_are_all_or_nothing(imap):
    async with await imap.login() as client:
        two = b"APPEND INBOX {3+}\r\nabc (\\Seen) {3+}\r\ndef"
        assert (await client.ok(two)).text.split("]")[0].endswith("1:2")
        await imap.directory.set_quota("jane@example.org", 8)
        await client.no(two, code="OVERQUOTA")
        assert (await imap.mailstore.mailbox(imap.account, "INBOX")).messages == 2


def test_limits_before_login_are_small():
    assert replace(protocol.BEFORE_LOGIN) == protocol.Limits(
        line=8192, literal=4096, command=8192, message=4096, discard=65_536
    )
