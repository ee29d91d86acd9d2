"""An IMAP daemon on loopback with a real mailstore, directory and TLS certificate."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import argon2
import pytest
import uvloop

from mailraven.blobs import FileBlobStore
from mailraven.config import ImapConfig
from mailraven.db import Database
from mailraven.directory import Directory, Passwords
from mailraven.imapd import ImapServer, Limits
from mailraven.mailstore import Delivery, LocalTarget, Mailstore
from mailraven.testing.imap_dialogue import Dialogue
from mailraven.tls import TlsContexts
from mailraven.tls.selfsigned import ensure_self_signed

ADDRESS = "jane@example.org"
PASSWORD = "correct horse battery"
QUICK = Limits(login_delay=(0.0, 0.01))


@dataclass
class Imap:
    """A running daemon, and one account."""

    server: ImapServer
    mailstore: Mailstore
    directory: Directory
    database: Database
    port: int
    tls_port: int
    client_tls: ssl.SSLContext
    account: int

    async def connect(self) -> Dialogue:
        """A plain connection."""
        return await Dialogue.connect("127.0.0.1", self.port)

    async def connect_tls(self) -> Dialogue:
        """An implicit TLS connection."""
        return await Dialogue.connect("127.0.0.1", self.tls_port, self.client_tls)

    async def login(self, select: str | None = None) -> Dialogue:
        """A session that has logged in, with a mailbox selected."""
        client = await self.connect()
        await client.login(ADDRESS, PASSWORD)
        if select is not None:
            await client.ok(f"SELECT {select}")
        return client

    async def deliver(self, raw: bytes, mailbox: str = "INBOX", prefix: bytes = b"") -> int:
        """As SMTP does; returns the UID."""
        target = LocalTarget(self.account, ADDRESS, prefix, mailbox)
        delivered = await self.mailstore.intake.deliver(Delivery(raw, (target,)))
        return delivered.uids[0][2]


Start = Callable[..., Awaitable[Imap]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the daemon runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client contexts."""
    files = ensure_self_signed(
        tmp_path_factory.mktemp("tls") / "tls", ["localhost", "127.0.0.1"], dt.datetime.now(dt.UTC)
    )
    client = ssl.create_default_context(cafile=str(files.ca_file))
    return TlsContexts(files.cert_file, files.key_file).server_context(), client


@pytest.fixture
async def start_imap(
    dsn: str, tmp_path: Path, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Start]:
    """Starts daemons, each with a database connection, directory and mailstore of its own, like a worker."""
    async with AsyncExitStack() as stack:

        async def start(
            *, plaintext: bool = True, limits: Limits = QUICK, starttls: bool = True, database_url: str = dsn
        ) -> Imap:
            database = await Database.connect(database_url)
            stack.push_async_callback(database.close)
            blobs = FileBlobStore(tmp_path / "blobs")
            await blobs.open()
            stack.push_async_callback(blobs.close)
            mailstore = Mailstore(database, blobs)
            stack.push_async_callback(mailstore.close)
            directory = Directory(database, passwords=Passwords(parameters=argon2.profiles.CHEAPEST))
            stack.push_async_callback(directory.close)
            await database.listener.start()
            server = ImapServer(
                mailstore,
                directory,
                ImapConfig(allow_plaintext_login_from_loopback=plaintext),
                hostname="mail.example.org",
                tls=certificate[0],
                limits=limits,
            )
            plain, tls = _listen(), _listen()
            await server.start([("imap", plain, "starttls" if starttls else "none"), ("imaps", tls, "implicit")])
            stack.push_async_callback(server.drain, 5)
            ports = plain.getsockname()[1], tls.getsockname()[1]
            account = await _account(directory)
            return Imap(server, mailstore, directory, database, *ports, certificate[1], account)

        yield start


@pytest.fixture
async def imap(start_imap: Start) -> Imap:
    """One daemon that takes plain-text logins."""
    return await start_imap()


class Gate:
    """A socket in front of Postgres that can be shut: then Postgres is away for who comes this way."""

    def __init__(self, directory: Path, dsn: str) -> None:
        self._socket = directory / ".s.PGSQL.5432"
        self._behind = urlsplit(dsn)
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.dsn = f"postgresql://{self._behind.username}@{self._behind.path}?host={directory}"

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._carry, self._socket)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._socket.unlink()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        directory = parse_qs(self._behind.query).get("host")
        if directory:
            ours, theirs = await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.5432")
        else:
            ours, theirs = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        self._writers += (writer, theirs)
        await asyncio.gather(_pump(reader, theirs), _pump(ours, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def gate(dsn: str) -> AsyncIterator[Gate]:
    """Open."""
    with tempfile.TemporaryDirectory(prefix="mr-gate-") as directory:  # a socket's path must be short
        made = Gate(Path(directory), dsn)
        await made.open()
        yield made
        await made.shut()


@pytest.fixture
def limits() -> Callable[..., Limits]:
    """Limits for a test, the rest as usual."""
    return lambda **changes: replace(QUICK, **changes)


async def _account(directory: Directory) -> int:
    if not await directory.is_local_domain("example.org"):
        await directory.create_domain("example.org")
        await directory.create_account(ADDRESS, PASSWORD)
    return (await directory.get_account(ADDRESS)).id


def _listen() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    return listening
