"""What SMTP sessions tell the delivery trace."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailraven.config import SmtpConfig
from mailraven.smtpd import Role, SmtpServer
from mailraven.testing.smtp_dialogue import Dialogue
from mailraven.trace import Recorder

JANE, JOHN = "jane@example.org", "john@example.org"
MESSAGE = b"From: x@far.test\r\nMessage-ID: <one@far.test>\r\nSubject: secret plans\r\n\r\nsecret body\r\n.\r\n"


@pytest.fixture
async def traced(start_smtp: Any) -> AsyncIterator[tuple[Any, Recorder, int]]:
    """An MX beside the fixture's, with a recorder."""
    smtp = await start_smtp(Role.MX)
    recorder = Recorder(smtp.database, seconds=0.01)
    server = SmtpServer(
        Role.MX,
        smtp.directory,
        smtp.mailstore.intake,
        SmtpConfig(),
        hostname="mail.example.org",
        trace=recorder,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start([("mx", listening, "none")])
    yield smtp, recorder, listening.getsockname()[1]
    await server.drain(5)
    await recorder.close()


async def events(smtp: Any, recorder: Recorder) -> list[dict[str, Any]]:
    await recorder.flush()
    async with smtp.database.acquire() as connection:
        return [dict(row) for row in await connection.fetch("SELECT * FROM trace_event ORDER BY id")]


async def test_a_message_is_one_event_for_each_recipient_and_nothing_of_its_content(traced: Any) -> None:
    smtp, recorder, port = traced
    async with await Dialogue.connect("127.0.0.1", port) as client:
        await client.ehlo()
        await client.send(
            b"MAIL FROM:<X@far.test>\r\nRCPT TO:<jane@example.org>\r\nRCPT TO:<john@example.org>\r\n"
            b"RCPT TO:<away@example.org>\r\nDATA\r\n" + MESSAGE
        )
        for _ in range(5):
            await client.reply()
        accepted = await client.reply()
        assert accepted.code == 250
    found = await events(smtp, recorder)
    trace_id = accepted.text.split()[-1]
    assert [(e["kind"], e["recipient"]) for e in found] == [
        ("delivered", JANE),
        ("delivered", JOHN),
        ("queued", "jane@elsewhere.example"),
    ]
    assert {(e["trace_id"], e["sender"], e["message_id"], e["peer"]) for e in found} == {
        (trace_id, "x@far.test", "one@far.test", "127.0.0.1")
    }
    assert found[0]["detail"] == "INBOX, UID 1"
    assert found[2]["detail"].startswith("queue id ")
    accounts = [(await smtp.directory.get_account(address)).id for address in (JANE, JOHN)]
    assert [e["account_id"] for e in found[:2]] == accounts
    assert "secret" not in repr(found)


async def test_refusals_are_told_with_the_reply(traced: Any) -> None:
    smtp, recorder, port = traced
    async with await Dialogue.connect("127.0.0.1", port) as client:
        await client.ehlo()
        await client.send(
            b"MAIL FROM:<broken\r\nMAIL FROM:<x@far.test>\r\nRCPT TO:<Nobody@example.org>\r\nRCPT TO:<y@far.test>\r\n"
            b"RCPT TO:<jane@example.org>\r\nDATA\r\nbare\nline\r\n.\r\n"
        )
        codes = [(await client.reply()).code for _ in range(7)]
    assert codes[0] >= 500
    assert codes[1:3] == [250, 550]
    assert codes[3] >= 500
    assert codes[4:6] == [250, 354]
    assert codes[6] >= 500
    found = await events(smtp, recorder)
    assert [(e["kind"], e["detail"][:4], e["recipient"]) for e in found] == [
        ("refused", "MAIL", ""),
        ("refused", "RCPT", "nobody@example.org"),
        ("refused", "RCPT", "y@far.test"),
        ("refused", "DATA", JANE),
    ]
    session = found[0]["trace_id"].partition(".")[0]
    assert [e["trace_id"] for e in found] == [f"{session}.0", *[f"{session}.1"] * 3]
    assert [e["sender"] for e in found[1:]] == ["x@far.test"] * 3
    assert f": {codes[2]} 5." in found[1]["detail"]


async def test_who_tries_many_addresses_does_not_fill_the_trace(traced: Any) -> None:
    smtp, recorder, port = traced
    for _ in range(2):
        async with await Dialogue.connect("127.0.0.1", port) as client:
            await client.ehlo()
            await client.command("MAIL FROM:<x@far.test>")
            for number in range(12):
                answer = await client.command(f"RCPT TO:<guess{number}@example.org>")
                if answer.code == 421:
                    break
    assert len(await events(smtp, recorder)) <= 20


async def test_a_failed_login_is_told_without_what_was_typed_for_a_password(start_smtp: Any) -> None:
    smtp = await start_smtp(Role.SUBMISSION, plaintext=True)
    recorder = Recorder(smtp.database)
    config = SmtpConfig(allow_plaintext_login_from_loopback=True)
    intake = smtp.mailstore.intake
    server = SmtpServer(Role.SUBMISSION, smtp.directory, intake, config, hostname="m.example", trace=recorder)
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start([("submission", listening, "none")])
    async with await Dialogue.connect("127.0.0.1", listening.getsockname()[1]) as client:
        await client.ehlo()
        assert (await client.login(JANE, "guessed")).code == 535
        assert (await client.login("hunter2", "hunter2")).code == 535
    found = await events(smtp, recorder)
    await server.drain(5)
    await recorder.close()
    assert [(e["kind"], e["peer"], e["detail"]) for e in found] == [("login_failed", "127.0.0.1", "smtp")] * 2
    assert found[0]["sender"] == JANE
    assert "hunter2" not in repr(found)
    assert "guessed" not in repr(found)
