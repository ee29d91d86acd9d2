"""Limits and bans in the SMTP dialogue, from addresses of 127.0.0.0/8 that are not exempt."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import argon2
import pytest

from mailraven import settings as stored_settings
from mailraven.blobs import FileBlobStore
from mailraven.config import SmtpConfig
from mailraven.db import Database
from mailraven.directory import Directory, Passwords
from mailraven.limits import Gate, bans
from mailraven.limits.clients import parse_network
from mailraven.mailstore import Mailstore
from mailraven.settings import Settings
from mailraven.smtpd import Limits, Role, SmtpServer
from mailraven.testing.smtp_dialogue import Dialogue
from mailraven_api.model import Model
from mailraven_api.settings import BanSettings, LimitSettings, MailSettings

IP, OTHER = "127.0.0.2", "127.0.0.3"
JANE, PASSWORD = "jane@example.org", "correct horse battery"
MESSAGE = b"Subject: x\r\n\r\nx\r\n"
CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=8, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)


@dataclass
class Limited:
    """A daemon with a gate."""

    server: SmtpServer
    gate: Gate
    settings: Settings
    directory: Directory
    database: Database
    mailstore: Mailstore
    port: int

    async def connect(self, ip: str = IP) -> Dialogue:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(ip, 0))
        client = Dialogue(reader, writer)
        client.greeting = await client.reply()
        return client

    async def greeted(self, ip: str = IP) -> Dialogue:
        client = await self.connect(ip)
        assert client.greeting.code == 220, client.greeting
        await client.ehlo()
        return client

    async def logged_in(self, ip: str = IP) -> Dialogue:
        client = await self.greeted(ip)
        assert (await client.login(JANE, PASSWORD)).code == 235
        return client

    async def set(self, group: str, value: Model) -> None:
        async with self.database.transaction() as connection:
            await stored_settings.write(connection, group, value, changed_by="test", expected=None)  # type: ignore[arg-type]
        await self.settings.load()

    async def limit(self, **limits: object) -> None:
        """Change the template."""
        async with self.database.acquire() as connection:
            document = json.dumps({"limits": limits})
            await connection.execute(
                "INSERT INTO domain_template (name, spec) VALUES ('_default', $1)"
                " ON CONFLICT (name) DO UPDATE SET spec = excluded.spec",
                document,
            )
        self.gate.rules.forget()

    async def ban(self, network: str, *, for_good: bool = False) -> None:
        until = None if for_good else "now() + interval '1 hour'"
        async with self.database.acquire() as connection:
            await connection.execute(
                f"INSERT INTO ban (network, reason, until) VALUES ($1, 'test', {until or 'NULL'})",
                parse_network(network),
            )

    async def used(self, event: str) -> int:
        await self.gate.counters.give_back(0)
        async with self.database.acquire() as connection:
            sql = "SELECT coalesce(sum(used), 0)::int FROM limit_counter WHERE event = $1"
            return int(await connection.fetchval(sql, event))


Start = Callable[..., Awaitable[Limited]]


@pytest.fixture
async def start(dsn: str, tmp_path: Path, certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Start]:
    """Starts daemons on one database."""
    async with AsyncExitStack() as stack:

        async def one(role: Role = Role.MX, *, limits: Limits | None = None) -> Limited:
            database = await Database.connect(dsn)
            stack.push_async_callback(database.close)
            blobs = FileBlobStore(tmp_path / "blobs")
            await blobs.open()
            mailstore = Mailstore(database, blobs)
            stack.push_async_callback(mailstore.close)
            directory = Directory(database, passwords=Passwords(parameters=CHEAP))
            stack.push_async_callback(directory.close)
            settings = Settings(database)
            stack.push_async_callback(settings.close)
            gate = Gate(database, settings)
            await database.listener.start()
            await settings.load()
            await gate.start()
            stack.push_async_callback(gate.close)
            server = SmtpServer(
                role,
                directory,
                mailstore.intake,
                SmtpConfig(allow_plaintext_login_from_loopback=True),
                hostname="mail.example.org",
                tls=certificate[0],
                limits=limits,
                gate=gate,
                settings=settings,
            )
            listening = socket.socket()
            listening.bind(("127.0.0.1", 0))
            listening.listen(100)
            await server.start([("plain", listening, "starttls")])
            stack.push_async_callback(server.drain, 5)
            if not await directory.is_local_domain("example.org"):
                await directory.create_domain("example.org")
                await directory.create_account(JANE, PASSWORD)
            return Limited(server, gate, settings, directory, database, mailstore, listening.getsockname()[1])

        yield one


async def test_the_51st_connection_hears_421(start: Start) -> None:
    smtp = await start()
    for _ in range(50):
        client = await smtp.connect()
        assert client.greeting.code == 220
        await client.close()
    client = await smtp.connect()
    assert client.greeting.codes == "421 4.7.0"
    assert "limit of 50 connections in 60 minutes from one address is reached, try again in" in client.greeting.text
    assert await client.closed() == b""
    await client.close()
    await (await smtp.greeted(OTHER)).close()
    await (await smtp.greeted("127.0.0.1")).close()


async def test_after_five_more_the_address_is_banned(start: Start) -> None:
    smtp = await start()
    await smtp.limit(smtp_connections_per_ip={"count": 1, "window": "hour"})
    greetings = []
    for _ in range(7):
        client = await smtp.connect()
        greetings.append(client.greeting)
        await client.close()
    assert [one.code for one in greetings] == [220] + [421] * 6
    assert "is reached" in greetings[4].text  # the connection of the fifth violation is ended by the ban
    assert greetings[6].text == "4.7.0 Your address is banned, try again later"


async def test_a_ban_for_good_is_a_permanent_refusal(start: Start, dsn: str) -> None:
    smtp = await start()
    await smtp.ban("127.0.0.2/32", for_good=True)
    await smtp.gate.bans.refresh()
    client = await smtp.connect()
    assert client.greeting.codes == "554 5.7.1"
    await client.close()
    await (await smtp.greeted(OTHER)).close()


async def test_a_ban_ends_open_connections_in_all_processes(start: Start) -> None:
    smtp, other = await start(), await start(Role.SUBMISSION)
    clients = [await smtp.greeted(), await other.greeted(), await other.greeted(OTHER)]
    await clients[0].expect("MAIL FROM:<someone@elsewhere.example>", "250")
    began = asyncio.get_running_loop().time()
    await smtp.ban("127.0.0.2/32")
    for client in clients[:2]:
        assert (await client.reply(2.0)).codes == "421 4.7.0"
        assert await client.closed(2.0) == b""
    assert asyncio.get_running_loop().time() - began < 2.0
    await clients[2].expect("NOOP", "250")
    for client in clients:
        await client.close()


async def test_one_address_has_so_many_connections_at_a_time(start: Start) -> None:
    smtp = await start()
    await smtp.set("limits", LimitSettings(max_connections_per_ip=3))
    clients = [await smtp.greeted() for _ in range(3)]
    full = await smtp.connect()
    assert full.greeting.text == "4.7.0 Too many connections at a time from your address, try again later"
    assert full.greeting.code == 421
    await full.close()
    await (await smtp.greeted(OTHER)).close()
    await clients[0].expect("QUIT", "221")
    await clients[0].closed()
    await clients[0].close()
    deadline = asyncio.get_running_loop().time() + 5
    while len(smtp.server.connections) > 2:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    await (await smtp.greeted()).close()
    for client in clients[1:]:
        await client.close()


async def test_messages_of_an_address_beyond_the_limit_wait(start: Start) -> None:
    smtp = await start()
    await smtp.limit(smtp_messages_per_ip={"count": 2, "window": "hour"})
    client = await smtp.greeted()
    for _ in range(2):
        assert (await client.message("a@elsewhere.example", [JANE], MESSAGE)).code == 250
    await client.expect("MAIL FROM:<a@elsewhere.example>", "250")
    await client.expect(f"RCPT TO:<{JANE}>", "250")
    refused = await client.expect("DATA", "450 4.7.0")
    assert "limit of 2 messages in 60 minutes from one address is reached, try again in 60 minutes" in refused.text
    await client.expect("DATA", "450")
    await client.expect("RSET", "250")
    await client.close()
    other = await smtp.greeted(OTHER)
    assert (await other.message("a@elsewhere.example", [JANE], MESSAGE)).code == 250
    await other.close()


async def test_messages_that_are_not_accepted_are_not_counted(start: Start) -> None:
    smtp = await start(limits=Limits(max_message_size=1000))
    await smtp.limit(smtp_messages_per_ip={"count": 1, "window": "hour"})
    client = await smtp.greeted()
    too_large = b"Subject: x\r\n\r\n" + b"x" * 70 * 30
    assert (await client.message("a@elsewhere.example", [JANE], too_large)).code == 552
    await client.expect("MAIL FROM:<a@elsewhere.example>", "250")
    await client.expect(f"RCPT TO:<{JANE}>", "250")
    await client.expect("DATA", "354")
    await client.close()  # in the middle of it
    deadline = asyncio.get_running_loop().time() + 5
    while smtp.server.connections:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    assert await smtp.used("smtp_messages") == 0
    client = await smtp.greeted()
    assert (await client.message("a@elsewhere.example", [JANE], MESSAGE)).code == 250
    assert await smtp.used("smtp_messages") == 1
    await client.close()


async def test_messages_of_an_account_say_which_limit_and_when_it_ends(start: Start) -> None:
    smtp = await start(Role.SUBMISSION)
    await smtp.limit(messages_per_account={"count": 1, "window": "hour"})
    client = await smtp.logged_in()
    assert (await client.message(JANE, [JANE], MESSAGE)).code == 250
    await client.expect(f"MAIL FROM:<{JANE}>", "250")
    await client.expect(f"RCPT TO:<{JANE}>", "250")
    refused = await client.command("DATA")
    assert refused.codes == "450 4.7.0"
    assert "limit of 1 messages in 60 minutes of one account is reached, try again in 60 minutes" in refused.text
    await client.close()


async def test_recipients_of_an_account(start: Start) -> None:
    smtp = await start(Role.SUBMISSION)
    await smtp.limit(recipients_per_account={"count": 3, "window": "day"})
    client = await smtp.logged_in()
    assert (await client.message(JANE, ["a@x.example", "b@x.example"], MESSAGE)).code == 250
    await client.expect(f"MAIL FROM:<{JANE}>", "250")
    for name in "ab":
        await client.expect(f"RCPT TO:<{name}@x.example>", "250")
    assert "3 recipients in 24 hours of one account" in (await client.expect("DATA", "450")).text
    await client.expect("RSET", "250")
    assert (await client.message(JANE, ["a@x.example"], MESSAGE)).code == 250
    await client.close()


async def test_over_the_limit_even_the_right_password_is_refused(start: Start) -> None:
    smtp = await start(Role.SUBMISSION)
    for number in range(6):
        client = await smtp.greeted()
        answer = await client.login(JANE, "wrong")
        assert answer.codes == ("535 5.7.8" if number < 5 else "421 4.7.0")
        await client.close()
    client = await smtp.greeted()
    refused = await client.login(JANE, PASSWORD)
    assert refused.codes == "421 4.7.0"
    assert "5 failed log-ins in 15 minutes from one address" in refused.text
    assert await client.closed() == b""
    await client.close()
    await (await smtp.logged_in(OTHER)).close()


async def test_no_password_is_hashed_over_the_limit(start: Start) -> None:
    smtp = await start(Role.SUBMISSION)
    asked = []
    authenticate = smtp.directory.authenticate

    async def counted(*arguments: object, **options: object) -> object:
        asked.append(arguments)
        return await authenticate(*arguments, **options)  # type: ignore[arg-type]

    smtp.directory.authenticate = counted  # type: ignore[method-assign,assignment]
    for _ in range(8):
        client = await smtp.greeted()
        await client.login(JANE, "wrong")
        await client.close()
    assert len(asked) == 5


async def test_a_cancelled_exchange_is_no_failure(start: Start) -> None:
    smtp = await start(Role.SUBMISSION)
    client = await smtp.greeted()
    for _ in range(7):
        await client.expect("AUTH PLAIN", "334")
        await client.expect("*", "501")
    token = base64.b64encode(f"\0{JANE}\0{PASSWORD}".encode()).decode()
    await client.expect(f"AUTH PLAIN {token}", "235")
    await client.close()


async def test_the_size_limit_is_live(start: Start) -> None:
    smtp = await start()
    client = await smtp.connect("127.0.0.1")
    assert f"SIZE {50 << 20}" in (await client.ehlo()).lines
    await smtp.set("mail", MailSettings(max_message_size=2000))
    assert "SIZE 2000" in (await client.ehlo()).lines
    await client.expect("MAIL FROM:<a@elsewhere.example> SIZE=3000", "552")
    large = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 40
    assert (await client.message("a@elsewhere.example", [JANE], large)).codes == "552 5.3.4"
    await smtp.set("mail", MailSettings(max_message_size=4000))
    assert (await client.message("a@elsewhere.example", [JANE], large)).code == 250
    await client.close()


async def test_recipients_beyond_the_most_cost_no_look_up_and_end_as_errors(start: Start) -> None:
    smtp = await start(limits=Limits(max_recipients=2, surplus_recipients=5, max_errors=4))
    client = await smtp.greeted()
    await client.expect("MAIL FROM:<a@elsewhere.example>", "250")
    for _ in range(2):
        await client.expect(f"RCPT TO:<{JANE}>", "250")
    looked_up = []
    resolve = smtp.directory.resolve

    async def counted(address: str) -> object:
        looked_up.append(address)
        return await resolve(address)

    smtp.directory.resolve = counted  # type: ignore[method-assign,assignment]
    smtp.directory.resolve_from = lambda _sender, address: counted(address)  # type: ignore[method-assign,assignment,return-value]
    for _ in range(8):
        await client.expect("RCPT TO:<nobody@example.org>", "452 4.5.3")
    assert looked_up == []
    await client.send(b"RCPT TO:<nobody@example.org>\r\n")
    assert (await client.reply()).code == 452
    assert (await client.reply()).codes == "421 4.7.0"
    await client.close()


async def test_a_whole_transaction_has_an_end(start: Start) -> None:
    smtp = await start(limits=Limits(transaction_timeout=0.6, command_timeout=0.4))
    client = await smtp.greeted()
    await client.expect("MAIL FROM:<a@elsewhere.example>", "250")
    began = asyncio.get_running_loop().time()
    answer = await client.command("NOOP")
    while answer.code == 250 and asyncio.get_running_loop().time() - began < 8:
        await asyncio.sleep(0.05)
        try:
            answer = await client.command("NOOP")
        except (EOFError, ConnectionError):
            break
    assert 0.5 < asyncio.get_running_loop().time() - began < 5
    await client.close()


async def test_a_session_of_many_short_transactions_goes_on(start: Start) -> None:
    smtp = await start(limits=Limits(transaction_timeout=0.6, command_timeout=0.4))
    client = await smtp.greeted("127.0.0.1")
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - began < 1.5:
        assert (await client.message("a@elsewhere.example", [JANE], MESSAGE)).code == 250
    await client.expect("QUIT", "221")
    await client.close()


async def test_mail_flows_while_postgres_has_no_counters(start: Start) -> None:
    """Whatever is wrong with limits, mail goes on."""
    smtp = await start()
    async with smtp.database.acquire() as connection:
        await connection.execute("ALTER TABLE limit_counter RENAME TO gone")
    try:
        client = await smtp.greeted()
        assert (await client.message("a@elsewhere.example", [JANE], MESSAGE)).code == 250
        await client.close()
    finally:
        async with smtp.database.acquire() as connection:
            await connection.execute("ALTER TABLE gone RENAME TO limit_counter")


async def test_bans_switched_off_leave_the_limits(start: Start) -> None:
    smtp = await start()
    await smtp.set("bans", BanSettings(enabled=False))
    await smtp.limit(smtp_connections_per_ip={"count": 1, "window": "hour"})
    codes = []
    for _ in range(8):
        client = await smtp.connect()
        codes.append(client.greeting.code)
        await client.close()
    assert codes == [220] + [421] * 7
    async with smtp.database.acquire() as connection:
        assert await bans.list_bans(connection, after=None, past=True, limit=10) == []
