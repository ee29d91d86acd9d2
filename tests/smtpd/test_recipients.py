"""Whose mail the role mx takes: the open-relay matrix, postmaster, aliases, quota."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from mailraven.smtpd import Limits, Role

MESSAGE = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n"

RELAY = {
    "foreign domain": ("<victim@foreign.example>", "550 5.7.1"),
    "percent hack": ("<victim%foreign.example@example.org>", "550 5.1.1"),
    "double percent hack": ("<victim%foreign.example%example.org@example.org>", "550 5.1.1"),
    "bang path": ("<foreign.example!victim@example.org>", "550 5.1.1"),
    "bang path without us": ("<example.org!victim@foreign.example>", "550 5.7.1"),
    "source route through us": ("<@example.org:victim@foreign.example>", "550 5.7.1"),
    "source route through two": ("<@a.example,@example.org:victim@foreign.example>", "550 5.7.1"),
    "quoted local part with an at sign": ('<"victim@foreign.example"@example.org>', "550 5.1.1"),
    "quoted local part of our user": ('<"jane@example.org"@foreign.example>', "550 5.7.1"),
    "unquoted at sign": ("<victim@foreign.example@example.org>", "501 5.1.3"),
    "address literal, loopback": ("<victim@[127.0.0.1]>", "550 5.7.1"),
    "address literal of IPv6": ("<victim@[IPv6:::1]>", "550 5.7.1"),
    "our user at an address literal": ("<jane@[127.0.0.1]>", "550 5.7.1"),
    "percent hack at an address literal": ("<victim%foreign.example@[127.0.0.1]>", "550 5.7.1"),
    "subdomain of ours": ("<jane@sub.example.org>", "550 5.7.1"),
    "domain that ends like ours": ("<jane@notexample.org>", "550 5.7.1"),
    "no domain": ("<victim>", "501 5.1.3"),
    "colon": ("<foreign.example:victim@example.org>", "501 5.1.3"),
    "host name of ours": ("<victim@mail.example.org>", "550 5.7.1"),
    "localhost": ("<jane@localhost>", "550 5.7.1"),
    "trailing dot": ("<jane@example.org.>", "501 5.1.3"),
}


@pytest.mark.parametrize("name", RELAY)
async def test_open_relay(mx, name):
    recipient, codes = RELAY[name]
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<jane@example.org>", "250")
        await client.expect(f"RCPT TO:{recipient}", codes)
        await client.expect("DATA", "554 5.5.1")
    assert await mx.queued() == []


@pytest.mark.parametrize(
    "recipient",
    [
        "jane@example.org",
        "JANE@EXAMPLE.ORG",
        '"jane"@example.org',
        "jane+tag@example.org",
        "@relay.example:jane@example.org",
    ],
)
async def test_spellings_of_a_recipient(mx, recipient):
    async with await mx.greeted() as client:
        assert (await client.message("s@sender.example", [recipient], MESSAGE)).codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 1


@pytest.mark.parametrize("recipient", ["postmaster", "PostMaster", "postmaster@example.org"])
async def test_postmaster_is_always_accepted(mx, recipient):
    async with await mx.greeted() as client:
        assert (await client.message("", [recipient], MESSAGE)).codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 1


async def test_recipients_are_refused_one_by_one(mx):
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250 2.1.0")
        await client.expect("RCPT TO:<nobody@example.org>", "550 5.1.1")
        await client.expect("RCPT TO:<jane@example.org>", "250 2.1.5")
        await client.expect("RCPT TO:<x@foreign.example>", "550 5.7.1")
        await client.expect("RCPT TO:<john@example.org>", "250 2.1.5")
        assert (await client.data(b"Subject: two")).codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 1
    assert len(await mx.messages("john@example.org")) == 1


async def test_a_suspended_account(mx):
    await mx.directory.set_suspended("john@example.org", True)
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect("RCPT TO:<john@example.org>", "550 5.2.1")


async def test_a_full_mailbox_is_a_deferral(mx):
    await mx.directory.set_quota("john@example.org", 1000)
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<s@sender.example> SIZE=2000", "250")
        await client.expect("RCPT TO:<john@example.org>", "452 4.2.2")
        await client.expect("RCPT TO:<jane@example.org>", "250 2.1.5")


async def test_the_limit_of_recipients(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_recipients=100))
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        for number in range(100):
            await client.expect(f"RCPT TO:<jane+{number}@example.org>", "250 2.1.5")
        await client.expect("RCPT TO:<jane+100@example.org>", "452 4.5.3")
        assert (await client.data(b"x")).code == 250
    # One mailbox gets one copy, however often it was named.
    assert len(await mx.messages("jane@example.org")) == 1


async def test_an_alias_of_two_accounts(mx):
    async with await mx.greeted() as client:
        assert (await client.message("s@b.example", ["team@example.org"], MESSAGE)).code == 250
    (mine,), (his,) = await mx.messages("jane@example.org"), await mx.messages("john@example.org")
    assert mine.startswith(b"Return-Path: <s@b.example>\r\nDelivered-To: jane@example.org\r\nReceived: ")
    assert his.startswith(b"Return-Path: <s@b.example>\r\nDelivered-To: john@example.org\r\nReceived: ")
    assert b"for <team@example.org>" in mine


async def test_an_alias_that_leads_away_is_forwarded(mx):
    async with await mx.greeted() as client:
        assert (await client.message("s@b.example", ["away@example.org"], MESSAGE)).code == 250
    assert await mx.queued() == [("s@b.example", "jane@elsewhere.example", "elsewhere.example")]


async def test_an_alias_that_leads_here_and_away(mx):
    async with await mx.greeted() as client:
        assert (await client.message("", ["both@example.org"], MESSAGE)).code == 250
    assert await mx.queued() == [("", "jane@elsewhere.example", "elsewhere.example")]
    assert len(await mx.messages("jane@example.org")) == 1


async def test_smtputf8_addresses(mx):
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<jörg@bücher.example> SMTPUTF8 BODY=8BITMIME", "250")
        await client.expect("RCPT TO:<ünbekannt@example.org>", "550 5.1.1")
        await client.expect("RCPT TO:<jane@example.org>", "250")
        assert (await client.data("Subject: grüße\r\n\r\nö".encode())).code == 250
    (message,) = await mx.messages("jane@example.org")
    assert message.startswith("Return-Path: <jörg@bücher.example>\r\n".encode())
    assert b"with UTF8SMTP id" in message


async def test_refused_recipients_are_in_the_log_with_their_reason(mx):
    with capture_logs() as logs:
        async with await mx.greeted() as client:
            await client.expect("MAIL FROM:<>", "250")
            await client.expect("RCPT TO:<x@foreign.example>", "550 5.7.1")
    (line,) = [line for line in logs if line["event"] == "refused"]
    assert (line["reason"], line["recipient"], line["code"]) == ("relay_denied", "x@foreign.example", 550)
