"""Limits of log-ins, bans and connections at a time in the IMAP dialogue, from an address that is not exempt."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import argon2
import pytest

from mailraven import settings as stored_settings
from mailraven.blobs import FileBlobStore
from mailraven.config import ImapConfig
from mailraven.db import Database
from mailraven.directory import Directory, Passwords
from mailraven.imapd import ImapServer, Limits
from mailraven.limits import Gate
from mailraven.limits.clients import parse_network
from mailraven.mailstore import Mailstore
from mailraven.settings import Settings
from mailraven_api.settings import LimitSettings

IP, OTHER = "127.0.0.2", "127.0.0.3"
JANE, PASSWORD = "jane@example.org", "correct horse battery"


class Client:
    """Lines of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 10)).decode().rstrip()

    async def login(self, password: str) -> list[str]:
        """Everything up to the tagged response, or to the end."""
        self.writer.write(f'a LOGIN {JANE} "{password}"\r\n'.encode())
        lines = [await self.line()]
        while lines[-1] and not lines[-1].startswith("a "):
            lines.append(await self.line())
        return lines

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


@dataclass
class Imap:
    server: ImapServer
    settings: Settings
    database: Database
    port: int

    async def connect(self, ip: str = IP) -> tuple[Client, str]:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(ip, 0)))
        return client, await client.line()


@pytest.fixture
async def imap(dsn: str, tmp_path: Path, certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Imap]:
    async with AsyncExitStack() as stack:
        database = await Database.connect(dsn)
        stack.push_async_callback(database.close)
        blobs = FileBlobStore(tmp_path / "blobs")
        await blobs.open()
        mailstore = Mailstore(database, blobs)
        stack.push_async_callback(mailstore.close)
        directory = Directory(database, passwords=Passwords(parameters=argon2.profiles.CHEAPEST))
        stack.push_async_callback(directory.close)
        settings = Settings(database)
        stack.push_async_callback(settings.close)
        gate = Gate(database, settings)
        await database.listener.start()
        await settings.load()
        await gate.start()
        stack.push_async_callback(gate.close)
        server = ImapServer(
            mailstore,
            directory,
            ImapConfig(allow_plaintext_login_from_loopback=True),
            hostname="mail.example.org",
            tls=certificate[0],
            limits=Limits(login_delay=(0.0, 0.01)),
            gate=gate,
        )
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        await server.start([("imap", listening, "starttls")])
        stack.push_async_callback(server.drain, 5)
        await directory.create_domain("example.org")
        await directory.create_account(JANE, PASSWORD)
        yield Imap(server, settings, database, listening.getsockname()[1])


async def test_over_the_limit_even_the_right_password_is_refused(imap: Imap) -> None:
    for _ in range(5):
        client, _ = await imap.connect()
        assert "[AUTHENTICATIONFAILED]" in (await client.login("wrong"))[-1]
        await client.close()
    client, _ = await imap.connect()
    lines = await client.login(PASSWORD)
    assert lines[0].startswith("* BYE [UNAVAILABLE]")
    assert lines[-1].startswith("a NO [UNAVAILABLE] The limit of 5 failed log-ins in 15 minutes from one address")
    assert await client.line() == ""
    await client.close()
    other, _ = await imap.connect(OTHER)
    assert (await other.login(PASSWORD))[-1].startswith("a OK")
    await other.close()


async def test_one_address_has_so_many_connections_at_a_time(imap: Imap) -> None:
    async with imap.database.transaction() as connection:
        value = LimitSettings(max_connections_per_ip=2)
        await stored_settings.write(connection, "limits", value, changed_by="test", expected=None)
    await imap.settings.load()
    clients = []
    for expected in ("* OK", "* OK", "* BYE"):
        client, greeting = await imap.connect()
        assert greeting.startswith(expected)
        clients.append(client)
    other, greeting = await imap.connect(OTHER)
    assert greeting.startswith("* OK")
    await clients[0].close()
    deadline = asyncio.get_running_loop().time() + 5
    while len(imap.server.connections) > 2:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    again, greeting = await imap.connect()
    assert greeting.startswith("* OK")
    for one in (*clients[1:], other, again):
        await one.close()


async def test_a_ban_ends_what_is_open_and_what_comes(imap: Imap) -> None:
    client, _ = await imap.connect()
    assert (await client.login(PASSWORD))[-1].startswith("a OK")
    bystander, _ = await imap.connect(OTHER)
    async with imap.database.acquire() as connection:
        await connection.execute("INSERT INTO ban (network, reason) VALUES ($1, 'test')", parse_network(IP))
    assert (await asyncio.wait_for(client.line(), 2)).startswith("* BYE [UNAVAILABLE] Your address is banned")
    refused, greeting = await imap.connect()
    assert greeting.startswith("* BYE")
    assert (await bystander.login(PASSWORD))[-1].startswith("a OK")
    for one in (client, bystander, refused):
        await one.close()
