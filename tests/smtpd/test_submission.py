"""The role submission (RFC 6409): whose address, which header, where to."""

from __future__ import annotations

import re

import pytest

JANE, JOHN = "jane@example.org", "john@example.org"


@pytest.mark.parametrize("sender", [JANE, "JANE@Example.org", "jane+news@example.org", "team@example.org", ""])
async def test_senders_that_are_ones_own(submission, sender):
    async with await submission.logged_in() as client:
        await client.expect(f"MAIL FROM:<{sender}>", "250 2.1.0")


@pytest.mark.parametrize(
    "sender",
    [JOHN, "nobody@example.org", "jane@foreign.example", '"jane@example.org"@foreign.example', "jane@[127.0.0.1]"],
)
async def test_senders_that_are_not(submission, sender):
    async with await submission.logged_in() as client:
        await client.expect(f"MAIL FROM:<{sender}>", "553 5.7.1")
        await client.expect("RCPT TO:<john@example.org>", "503 5.5.1")
        await client.expect(f"MAIL FROM:<{JANE}>", "250")


async def test_nothing_goes_without_login(submission):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        await client.expect(f"MAIL FROM:<{JANE}>", "530 5.7.0")
        await client.expect("MAIL FROM:<>", "530 5.7.0")
        await client.expect("RCPT TO:<john@example.org>", "503 5.5.1")
        await client.expect("DATA", "503 5.5.1")


async def test_local_and_foreign_recipients_of_one_message(submission):
    content = (
        b"From: jane@example.org\r\nBcc: hidden@foreign.example,\r\n third@foreign.example\r\n"
        b"Subject: x\r\n\r\nBcc: in the body\r\n"
    )
    async with await submission.logged_in() as client:
        recipients = [JOHN, "hidden@foreign.example", "Third@b\u00fccher.example"]
        await client.expect(f"MAIL FROM:<{JANE}> SMTPUTF8", "250")
        for recipient in recipients:
            await client.expect(f"RCPT TO:<{recipient}>", "250 2.1.5")
        assert (await client.data(content.removesuffix(b"\r\n"))).codes == "250 2.0.0"
    (message,) = await submission.messages(JOHN)
    header, _, body = message.partition(b"\r\n\r\n")
    assert body == b"Bcc: in the body\r\n"
    assert b"hidden" not in header
    assert b"third" not in header
    assert re.search(rb"\r\nDate: \w{3}, \d", header)
    assert re.search(rb"\r\nMessage-ID: <[0-9a-f]{16}\.1@mail\.example\.org>", header)
    assert b"with UTF8SMTPSA id" in header
    assert await submission.queued() == [
        (JANE, "Third@b\u00fccher.example", "xn--bcher-kva.example"),
        (JANE, "hidden@foreign.example", "foreign.example"),
    ]


async def test_a_header_that_is_complete_stays_as_it_is(submission):
    content = b"Date: Sun, 1 Nov 2026 09:05:07 +0000\r\nMessage-ID: <x@y>\r\nFrom: a@b\r\n\r\nx\r\n"
    async with await submission.logged_in() as client:
        assert (await client.message(JANE, [JOHN], content)).code == 250
    assert (await submission.messages(JOHN))[0].endswith(content)


@pytest.mark.parametrize(
    ("recipient", "codes"),
    [
        ("x@[127.0.0.1]", "550 5.1.2"),
        ("nobody@example.org", "550 5.1.1"),
        ("nobody%foreign.example@example.org", "550 5.1.1"),
        ("@relay.example:x@foreign.example", "250 2.1.5"),
    ],
)
async def test_recipients(submission, recipient, codes):
    async with await submission.logged_in() as client:
        await client.expect(f"MAIL FROM:<{JANE}>", "250")
        await client.expect(f"RCPT TO:<{recipient}>", codes)


async def test_a_suspended_account_sends_no_more(submission):
    async with await submission.logged_in() as client:
        await client.expect(f"MAIL FROM:<{JANE}>", "250")
        await client.expect("RSET", "250")
        await submission.directory.set_suspended(JANE, True)
        await client.expect(f"MAIL FROM:<{JANE}>", "421 4.7.0")
        assert await client.closed() == b""
    async with await submission.connect_tls() as client:
        await client.ehlo()
        assert (await client.login(JANE, "correct horse battery")).codes == "535 5.7.8"


async def test_a_header_without_end_is_refused(submission):
    async with await submission.logged_in() as client:
        answer = await client.message(JANE, [JOHN], b"A:\r\n" * 300_000)
        assert answer.codes == "552 5.3.4"
        assert (await client.message(JANE, [JOHN], b"A:\r\n\r\n" * 300_000)).codes == "250 2.0.0"
