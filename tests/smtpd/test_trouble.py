"""Time-outs, too many connections, crashes, a database that is away, the drain."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from mailraven.mailstore import OverQuota, Unavailable
from mailraven.smtpd import Limits, Role

JANE = "jane@example.org"


class Intake:
    """The real intake behind a door that a test can hold shut, or have fail."""

    def __init__(self, real) -> None:
        self._real = real
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()

    async def deliver(self, delivery):
        self.entered.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await self._real.deliver(delivery)


async def doored(start_smtp, **arguments):
    doors = []

    def make(real):
        doors.append(Intake(real))
        return doors[0]

    return await start_smtp(Role.MX, intake=make, **arguments), doors[0]


async def test_a_crash_is_451_and_tells_nothing(start_smtp):
    mx, intake = await doored(start_smtp)
    intake.error = KeyError("secret detail")
    async with await mx.greeted() as client:
        with capture_logs() as logs:
            answer = await client.message("", [JANE], b"x\r\n")
        assert answer.codes == "451 4.3.0"
        assert "KeyError" not in answer.text
        assert "secret" not in answer.text
        failed = [line for line in logs if line["event"] == "command failed"]
        assert failed
        assert failed[0]["request_id"]
        intake.error = None
        assert (await client.message("", [JANE], b"x\r\n")).codes == "250 2.0.0"
    assert mx.server.budget.used == 0


async def test_errors_of_the_mailstore_have_their_codes(start_smtp):
    mx, intake = await doored(start_smtp)
    async with await mx.greeted() as client:
        for error, codes in ((Unavailable("x"), "451 4.3.0"), (OverQuota("x"), "452 4.2.2")):
            intake.error = error
            assert (await client.message("", [JANE], b"x\r\n")).codes == codes
        intake.error = None
        assert (await client.message("", [JANE], b"x\r\n")).code == 250


async def test_a_database_that_is_away_is_451(mx, cluster, dsn):
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "250")
        await mx.database.close()
        answer = await asyncio.wait_for(client.data(b"x"), 30)
        assert answer.codes == "451 4.3.0"
        await client.expect("MAIL FROM:<>", "250")
        mx.directory.invalidate()
        await client.expect(f"RCPT TO:<{JANE}>", "451 4.3.0")
        await client.expect("NOOP", "250")


async def test_a_login_without_database_is_454(submission):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        await submission.database.close()
        assert (await client.login(JANE, "correct horse battery")).codes == "454 4.7.0"


async def test_silence_is_ended_with_421(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(command_timeout=0.3))
    async with await mx.connect() as client:
        assert (await client.reply()).codes == "421 4.4.2"
        assert await client.closed() == b""
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.send(b"RCPT")
        assert (await client.reply()).codes == "421 4.4.2"


async def test_silence_in_data_is_ended_with_421(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(data_timeout=0.3))
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "250")
        await client.expect("DATA", "354")
        await client.send(b"x" * 1000)
        assert (await client.reply()).codes == "421 4.4.2"
        await client.closed()
    assert mx.server.budget.used == 0


async def test_a_trickle_is_no_way_around_the_clock(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(transaction_timeout=0.5, data_timeout=0.4))
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "250")
        await client.expect("DATA", "354")
        reply = asyncio.create_task(client.reply())
        while not reply.done():
            try:
                await client.send(b"x")
            except ConnectionError:
                break
            await asyncio.wait([reply], timeout=0.05)
        assert (await reply).codes == "421 4.4.2"


async def test_too_many_connections(start_smtp):
    mx = await start_smtp(Role.MX, limits=Limits(max_connections=2))
    async with await mx.greeted() as first, await mx.greeted():
        async with await mx.connect() as third:
            assert third.greeting.codes == "421 4.7.0"
            assert await third.closed() == b""
        await first.expect("QUIT", "221")
        await first.closed()
        async with await mx.connect() as fourth:
            assert fourth.greeting.code == 220


async def test_drain_ends_idle_sessions_and_lets_transactions_finish(start_smtp):
    mx, intake = await doored(start_smtp)
    idle, busy, open_ = await mx.greeted(), await mx.greeted(), await mx.greeted()
    async with idle, busy, open_:
        await open_.expect("MAIL FROM:<>", "250")
        intake.open.clear()
        delivering = asyncio.create_task(busy.message("", [JANE], b"one\r\n"))
        await asyncio.wait_for(intake.entered.wait(), 10)
        draining = asyncio.create_task(mx.server.drain(20))
        assert (await idle.reply()).codes == "421 4.3.2"
        assert await idle.closed() == b""
        intake.open.set()
        assert (await delivering).codes == "250 2.0.0"
        assert (await busy.reply()).codes == "421 4.3.2"
        await open_.expect(f"RCPT TO:<{JANE}>", "250")
        assert (await open_.data(b"two")).codes == "250 2.0.0"
        assert (await open_.reply()).codes == "421 4.3.2"
        await asyncio.wait_for(draining, 10)
    assert len(await mx.messages(JANE)) == 2


async def test_drain_does_not_wait_for_ever(mx):
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await asyncio.wait_for(mx.server.drain(0.2), 10)
        assert (await client.reply()).codes == "421 4.3.2"
        assert await client.closed() == b""
    assert not mx.server.connections


async def test_a_client_that_leaves_while_its_message_is_stored(start_smtp):
    mx, intake = await doored(start_smtp)
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "250")
        await client.expect("DATA", "354")
        intake.open.clear()
        await client.send(b"x\r\n.\r\n")
        await asyncio.wait_for(intake.entered.wait(), 10)
        client.reset_connection()
    with capture_logs() as logs:
        intake.open.set()
        await asyncio.wait_for(mx.server.drain(10), 15)
    assert [line["event"] for line in logs if line["event"] == "message accepted"]
    assert len(await mx.messages(JANE)) == 1


async def test_one_line_for_each_message_and_connection_and_no_secret_in_it(start_smtp):
    submission = await start_smtp(Role.SUBMISSION)
    with capture_logs() as logs:
        async with await submission.logged_in() as client:
            await client.message(JANE, [JANE], b"Subject: x\r\n\r\n")
            await client.expect("QUIT", "221")
            await client.closed()
    events = [line["event"] for line in logs if line.get("component", "smtpd") == "smtpd"]
    assert events.count("message accepted") == 1
    assert events.count("connection closed") == 1
    assert len({line["request_id"] for line in logs if "request_id" in line}) == 1
    assert "battery" not in str(logs)
