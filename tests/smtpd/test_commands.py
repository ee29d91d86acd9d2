"""Each command: wrong syntax first, and the session is usable after it."""

from __future__ import annotations

import pytest

from mailraven.smtpd import Limits, Role

EHLO = "EHLO c.example"
MAIL = "MAIL FROM:<s@sender.example>"
RCPT = "RCPT TO:<jane@example.org>"


async def test_greeting_and_quit(mx):
    async with await mx.connect() as client:
        assert client.greeting.code == 220
        assert client.greeting.text.startswith("mail.example.org ESMTP")
        await client.expect("QUIT", "221 2.0.0")
        assert await client.closed() == b""


async def test_ehlo_offers_what_the_role_can_do_now(mx, submission):
    async with await mx.connect() as client:
        offered = set((await client.ehlo()).lines)
        assert {
            "PIPELINING",
            "SIZE 52428800",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "STARTTLS",
        } <= offered
        assert not any(line.startswith("AUTH") for line in offered)
    async with await submission.connect() as client:
        assert not any(line.startswith("AUTH") for line in (await client.ehlo()).lines)
    async with await submission.connect_tls() as client:
        offered = set((await client.ehlo()).lines)
        assert "AUTH PLAIN LOGIN" in offered
        assert "STARTTLS" not in offered


# Commands before it, the command, its codes.
SYNTAX: list[tuple[list[str], str | bytes, str]] = [
    ([], "", "500 5.5.2"),
    ([], " ", "500 5.5.2"),
    ([], "XYZZY", "500 5.5.2"),
    ([], b"\xff\xfe\xfd", "500 5.5.2"),
    ([], "EHLO", "501 5.5.4"),
    ([], "EHLO a b", "501 5.5.4"),
    ([], "EHLO [1.2.3]", "501 5.5.4"),
    ([], b"EHLO b\xc3\xbccher.example", "501 5.5.2"),
    ([], "HELO", "501 5.5.4"),
    ([], "EHLO " + "x" * 600, "500 5.5.2"),
    ([], b"NOOP a\nNOOP", "500 5.5.2"),
    ([], b"NOOP a\rNOOP", "500 5.5.2"),
    ([], b"NOOP \0", "500 5.5.2"),
    ([], MAIL, "503 5.5.1"),
    ([], RCPT, "503 5.5.1"),
    ([], "DATA", "503 5.5.1"),
    ([], "QUIT now", "501 5.5.4"),
    ([], "RSET now", "501 5.5.4"),
    ([], "STARTTLS now", "501 5.5.4"),
    ([], "EXPN staff", "502 5.5.1"),
    ([], "HELP", "214 2.0.0"),
    ([], "VRFY", "501 5.5.4"),
    ([], "VRFY jane", "252 2.1.5"),
    ([], "VRFY nobody", "252 2.1.5"),
    ([EHLO], RCPT, "503 5.5.1"),
    ([EHLO], "DATA", "503 5.5.1"),
    ([EHLO], "DATA now", "501 5.5.4"),
    ([EHLO], "MAIL", "501 5.5.4"),
    ([EHLO], "MAIL FROM", "501 5.5.4"),
    ([EHLO], "MAIL TO:<a@b>", "501 5.5.4"),
    ([EHLO], "MAIL FROM:a@b", "501 5.1.7"),
    ([EHLO], "MAIL FROM:<a@b", "501 5.1.7"),
    ([EHLO], "MAIL FROM:<a@@b>", "501 5.1.7"),
    ([EHLO], "MAIL FROM:<postmaster>", "501 5.1.7"),
    ([EHLO], f"MAIL FROM:<{'a' * 65}@b>", "501 5.1.7"),
    ([EHLO], "MAIL FROM:<a@b> FOO=BAR", "555 5.5.4"),
    ([EHLO], "MAIL FROM:<a@b> SIZE=x", "501 5.5.4"),
    ([EHLO], "MAIL FROM:<a@b> SIZE=99999999", "552 5.3.4"),
    ([EHLO], "MAIL FROM:<a@b> SIZE=99999999999999999999", "552 5.3.4"),
    ([EHLO], "MAIL FROM:<a@b> BODY=9BIT", "501 5.5.4"),
    ([EHLO], "MAIL FROM:<j\u00f6rg@b>", "553 5.6.7"),
    ([EHLO], b"MAIL FROM:<\xff@b> SMTPUTF8", "501 5.5.2"),
    ([EHLO, MAIL], MAIL, "503 5.5.1"),
    ([EHLO, MAIL], "DATA", "503 5.5.1"),
    ([EHLO, MAIL], "RCPT", "501 5.5.4"),
    ([EHLO, MAIL], "RCPT TO:<>", "501 5.1.3"),
    ([EHLO, MAIL], "RCPT TO:<jane>", "501 5.1.3"),
    ([EHLO, MAIL], "RCPT TO:<jane@example.org> NOTIFY=NEVER", "555 5.5.4"),
    ([EHLO, MAIL, RCPT], "DATA now", "501 5.5.4"),
    ([EHLO], "AUTH PLAIN", "502 5.5.1"),
]


@pytest.mark.parametrize(("before", "line", "codes"), SYNTAX, ids=[repr(case[1])[:40] for case in SYNTAX])
async def test_errors_have_their_code_and_leave_the_session_usable(mx, before, line, codes):
    async with await mx.connect() as client:
        for earlier in before:
            await client.expect(earlier, "250")
        await client.expect(line, codes)
        await client.expect("RSET", "250 2.0.0")
        await client.expect(EHLO, "250")
        answer = await client.message("s@sender.example", ["jane@example.org"], b"Subject: x\r\n\r\nx\r\n")
        assert answer.codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 1


async def test_an_error_in_a_transaction_leaves_the_transaction(mx):
    async with await mx.greeted() as client:
        await client.expect(MAIL, "250 2.1.0")
        await client.expect("RCPT TO:<nobody@example.org>", "550 5.1.1")
        await client.expect("BOGUS", "500 5.5.2")
        await client.expect(RCPT, "250 2.1.5")
        assert (await client.data(b"x")).code == 250


async def test_data_after_refused_recipients_only(mx):
    async with await mx.greeted() as client:
        await client.expect(MAIL, "250")
        await client.expect("RCPT TO:<nobody@example.org>", "550 5.1.1")
        await client.expect("DATA", "554 5.5.1")


@pytest.mark.parametrize("reset", ["RSET", "EHLO again.example", "HELO again.example"])
async def test_what_ends_a_transaction(mx, reset):
    async with await mx.greeted() as client:
        await client.expect(MAIL, "250")
        await client.expect(RCPT, "250")
        await client.expect(reset, "250")
        await client.expect("DATA", "503 5.5.1")
        await client.expect(MAIL, "250")


async def test_a_long_line_is_read_to_its_end_and_refused(mx):
    async with await mx.greeted() as client:
        await client.expect(b"NOOP " + b"x" * 300_000, "500 5.5.2")
        await client.expect("NOOP", "250 2.0.0")


async def test_a_command_ends_at_crlf_only(mx):
    async with await mx.greeted() as client:
        await client.send(b"NOOP\nNOOP\n")
        await client.send(b"NOOP\r\n")
        assert (await client.reply()).codes == "500 5.5.2"
        await client.expect("NOOP", "250 2.0.0")


async def test_a_browser_is_not_talked_to(mx):
    async with await mx.connect() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n")
        assert (await client.reply()).codes == "421 4.7.0"
        assert await client.closed() == b""


async def test_helo_has_no_extensions_and_still_takes_mail(mx):
    async with await mx.connect() as client:
        answer = await client.expect("HELO c.example", "250")
        assert len(answer.lines) == 1
        assert (await client.message("", ["jane@example.org"], b"Subject: x\r\n\r\n")).code == 250
    assert b"with SMTP id" in (await mx.messages("jane@example.org"))[0]


async def test_too_many_errors_end_the_session(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_errors=3))
    async with await mx.greeted() as client:
        await client.expect("BOGUS", "500")
        await client.expect("BOGUS", "500")
        await client.expect("BOGUS", "500")
        assert (await client.reply()).codes == "421 4.7.0"
        assert await client.closed() == b""


async def test_what_a_client_says_is_never_more_than_text_in_our_replies(mx):
    async with await mx.connect() as client:
        answer = await client.expect("EHLO " + "a" * 255, "250")
        assert len(answer.lines[0]) < 510
