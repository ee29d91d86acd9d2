"""RFC 2920: batches of commands, and their replies in as few packets as it allows."""

from __future__ import annotations

import asyncio


async def test_a_whole_session_in_one_write(mx):
    async with await mx.connect() as client:
        await client.send(
            b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<jane@example.org>\r\n"
            b"DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nNOOP\r\nBOGUS\r\nQUIT\r\n"
        )
        codes = [(await client.reply()).codes for _ in range(9)]
        assert codes == [
            "250",
            "250 2.1.0",
            "550 5.1.1",
            "250 2.1.5",
            "354",
            "250 2.0.0",
            "250 2.0.0",
            "500 5.5.2",
            "221 2.0.0",
        ]
        assert await client.closed() == b""
    assert (await mx.messages("jane@example.org"))[0].endswith(b"Subject: x\r\n\r\n.\r\n")


async def test_the_replies_of_a_group_come_together(mx):
    reader, writer = await asyncio.open_connection("127.0.0.1", mx.port)
    await reader.readline()
    writer.write(b"EHLO c\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    writer.write(b"MAIL FROM:<>\r\n" + b"RCPT TO:<jane@example.org>\r\n" * 10 + b"DATA\r\n")
    first = await reader.read(65536)
    assert first.count(b"\r\n") == 12
    writer.close()
    await writer.wait_closed()


async def test_a_client_may_close_its_side_after_the_last_command(mx):
    async with await mx.connect() as client:
        await client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<jane@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
        client.half_close()
        assert b"\r\n250 2.0.0 OK" in await client.closed()
    assert len(await mx.messages("jane@example.org")) == 1


async def test_a_thousand_commands_without_reading(mx):
    async with await mx.greeted() as client:
        await client.send(b"NOOP\r\n" * 20_000)
        for _ in range(20_000):
            assert (await client.reply()).code == 250
