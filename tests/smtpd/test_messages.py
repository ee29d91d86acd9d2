"""What becomes of the octets after DATA."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailraven.smtpd import Limits, Role

TRACE = re.compile(
    rb"Return-Path: <s@sender\.example>\r\n"
    rb"Delivered-To: jane@example\.org\r\n"
    rb"Received: from client\.example \(\[127\.0\.0\.1\]\)\r\n"
    rb"\tby mail\.example\.org with ESMTP id [0-9a-f]{16}\.[0-9]+\r\n"
    rb"\tfor <jane@example\.org>; \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n"
)


async def open_data(client, *recipients: str) -> None:
    await client.expect("MAIL FROM:<s@sender.example>", "250")
    for recipient in recipients or ("jane@example.org",):
        await client.expect(f"RCPT TO:<{recipient}>", "250")
    await client.expect("DATA", "354")


async def test_a_message_arrives_with_its_trace(mx):
    content = b"From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n"
    async with await mx.greeted() as client:
        answer = await client.message("s@sender.example", ["jane@example.org"], content)
    (message,) = await mx.messages("jane@example.org")
    trace = TRACE.match(message)
    assert trace is not None, message
    assert message[trace.end() :] == content
    assert answer.text.split()[-1].encode() in trace[0]  # the id of the reply is the one in the trace


LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b".", b"..", b".QUIT", b"From x", b"\x00", b"\xff\xfe"]),
        st.binary(max_size=60).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")),
    ),
    max_size=30,
)


async def test_content_is_carried_octet_for_octet(mx):
    sent: list[bytes] = []
    client = await mx.greeted()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(LINES)
    def collect(lines: list[bytes]) -> None:
        sent.append(b"Subject: x\r\n\r\n" + b"".join(line + b"\r\n" for line in lines))

    collect()
    async with client:
        for content in sent:
            assert (await client.message("s@sender.example", ["jane@example.org"], content)).code == 250, content
    received = await mx.messages("jane@example.org")
    assert [message[TRACE.match(message).end() :] for message in received] == sent


async def test_a_message_to_several_is_stored_once(mx):
    async with await mx.greeted() as client:
        recipients = ["jane@example.org", "john@example.org"]
        await client.message("s@sender.example", recipients, b"Subject: x\r\n\r\n")
    (mine,), (his,) = await mx.messages("jane@example.org"), await mx.messages("john@example.org")
    assert b"Delivered-To: jane@example.org\r\n" in mine
    assert b"Delivered-To: john@example.org\r\n" in his
    assert b"\tfor <" not in mine  # with several it would tell who else got it
    async with mx.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM body") == 1


SMUGGLING = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CR.LF": b"\r.\n",
    "LF.CR": b"\n.\r",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLFNUL.LF": b"\r\n\0.\n",
    "bare LF": b"a\nb",
    "bare CR": b"a\rb",
    "CR before CRLF": b"a\r\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_smuggling(mx, name):
    async with await mx.greeted() as client:
        await open_data(client)
        inner = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<john@example.org>\r\nDATA\r\nSubject: evil\r\n"
        await client.send(b"Subject: x\r\n\r\nbody" + SMUGGLING[name] + inner + b"\r\n.\r\n")
        assert (await client.reply()).codes == "550 5.5.2"
        await client.expect("NOOP", "250 2.0.0")  # one reply: nothing in there was a command
        await open_data(client)
        await client.send(b"good\r\n.\r\n")
        assert (await client.reply()).codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 1
    assert await mx.messages("john@example.org") == []


async def test_nul_between_dot_and_crlf_is_content(mx):
    async with await mx.greeted() as client:
        await open_data(client)
        await client.send(b"a\r\n.\0\r\nb\r\n.\r\n")
        assert (await client.reply()).codes == "250 2.0.0"
    (message,) = await mx.messages("jane@example.org")
    assert message.endswith(b"a\r\n\0\r\nb\r\n")


async def test_an_empty_message(mx):
    async with await mx.greeted() as client:
        await open_data(client)
        await client.send(b".\r\n")
        assert (await client.reply()).codes == "250 2.0.0"
    (message,) = await mx.messages("jane@example.org")
    assert TRACE.fullmatch(message)


async def test_a_message_cut_into_single_octets(mx):
    async with await mx.greeted() as client:
        await open_data(client)
        for octet in b"Subject: x\r\n\r\n..dot\r\n.\r\n":
            await client.send(bytes([octet]))
        assert (await client.reply()).codes == "250 2.0.0"
    assert (await mx.messages("jane@example.org"))[0].endswith(b"\r\n\r\n.dot\r\n")


async def test_size_lies(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_message_size=100_000))
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<> SIZE=100001", "552 5.3.4")
        await client.expect("MAIL FROM:<> SIZE=10", "250")
        await client.expect("RCPT TO:<jane@example.org>", "250")
        assert (await client.data(b"x" * 99_998)).codes == "250 2.0.0"
        await client.expect("MAIL FROM:<> SIZE=10", "250")
        await client.expect("RCPT TO:<jane@example.org>", "250")
        assert (await client.data(b"x" * 99_999)).codes == "552 5.3.4"
        await client.expect("MAIL FROM:<> SIZE=100000", "250")
        await client.expect("RCPT TO:<jane@example.org>", "250")
        assert (await client.data(b"x")).codes == "250 2.0.0"
    assert len(await mx.messages("jane@example.org")) == 2
    assert mx.server.budget.used == 0


async def test_a_message_without_end_is_cut_off(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_message_size=100_000))
    async with await mx.greeted() as client:
        await open_data(client)
        try:
            for _ in range(100):
                await client.send(b"x" * 65536)
        except ConnectionError:
            pass
        await client.closed()
    assert mx.server.budget.used == 0


async def test_a_loop_is_stopped(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_hops=100))
    async with await mx.greeted() as client:
        hop = b"Received: from a by b; Sun, 1 Nov 2026 09:05:07 +0000\r\n"
        assert (await client.message("", ["jane@example.org"], hop * 100 + b"\r\n")).codes == "250 2.0.0"
        assert (await client.message("", ["jane@example.org"], hop * 101 + b"\r\n")).codes == "554 5.4.6"


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: \0\0\r\n\r\n\0\r\n",
        b"\xff\xfe: x\r\n\r\n\xff\r\n",
        b"no header at all",
        b"X-Long: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 10_000,
    ],
    ids=["nul", "eight bit header", "no header", "1 MB header line", "10,000 nested parts"],
)
async def test_broken_messages_are_stored_as_they_are(mx, content):
    async with await mx.greeted() as client:
        await open_data(client)
        await client.send(content + b"\r\n.\r\n")
        assert (await client.reply(60.0)).codes == "250 2.0.0"
    (message,) = await mx.messages("jane@example.org")
    assert message[TRACE.match(message).end() :] == content + b"\r\n"


async def test_the_process_has_a_budget_of_memory(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(memory_budget=200_000))
    first, second = await mx.greeted(), await mx.greeted()
    async with first, second:
        await open_data(first)
        await first.send(b"x" * 150_000)
        await open_data(second)
        await second.send(b"y" * 150_000 + b"\r\n.\r\n")
        # Whose octets came last is refused; which one that is depends on how the pieces arrived.
        await first.send(b"\r\n.\r\n")
        codes = {(await first.reply()).codes, (await second.reply()).codes}
        assert "452 4.3.1" in codes
        assert mx.server.budget.used == 0
        await second.expect("MAIL FROM:<> SIZE=300000", "250")
        await second.expect("RCPT TO:<jane@example.org>", "250")
        await second.expect("DATA", "452 4.3.1")
        await second.expect("RSET", "250")
        assert (await second.message("", ["jane@example.org"], b"x\r\n")).code == 250


async def test_a_client_that_goes_away_in_data_leaves_nothing(mx):
    async with await mx.greeted() as client:
        await open_data(client)
        await client.send(b"x" * 100_000)
        client.reset_connection()
    async with await mx.greeted() as client:
        await client.expect("NOOP", "250")
    assert await mx.messages("jane@example.org") == []
