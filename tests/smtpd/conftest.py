"""SMTP daemons of both roles on loopback, with a real directory, mailstore and TLS certificate."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import argon2
import pytest

from mailraven.blobs import FileBlobStore
from mailraven.config import SmtpConfig
from mailraven.db import Database
from mailraven.directory import Directory, Passwords
from mailraven.mailstore import Intake, Mailstore
from mailraven.smtpd import Limits, Role, SmtpServer
from mailraven.testing.smtp_dialogue import Dialogue
from mailraven.tls import TlsContexts
from mailraven.tls.selfsigned import ensure_self_signed

PASSWORD = "correct horse battery"
JANE, JOHN = "jane@example.org", "john@example.org"

_CHEAP_HASH = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=8, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)


@dataclass
class Smtp:
    """A running daemon."""

    server: SmtpServer
    mailstore: Mailstore
    directory: Directory
    database: Database
    port: int
    tls_port: int
    client_tls: ssl.SSLContext

    async def connect(self) -> Dialogue:
        """A plain connection, greeting read."""
        return await Dialogue.connect("127.0.0.1", self.port)

    async def connect_tls(self) -> Dialogue:
        """An implicit TLS connection."""
        return await Dialogue.connect("127.0.0.1", self.tls_port, self.client_tls)

    async def greeted(self) -> Dialogue:
        """A plain connection after EHLO."""
        client = await self.connect()
        await client.ehlo()
        return client

    async def logged_in(self, login: str = JANE) -> Dialogue:
        """An implicit TLS connection that has signed in."""
        client = await self.connect_tls()
        await client.ehlo()
        answer = await client.login(login, PASSWORD)
        assert answer.codes == "235 2.7.0", answer
        return client

    async def messages(self, address: str, mailbox: str = "INBOX") -> list[bytes]:
        """Everything in a mailbox, octet for octet."""
        account = (await self.directory.get_account(address)).id
        box = await self.mailstore.mailbox(account, mailbox)
        found = []
        if box.uidnext > 1:
            async for chunk in self.mailstore.fetch(account, box.id, range(1, box.uidnext)):
                found += [await self.mailstore.read(items.body) for items in chunk]
        return found

    async def queued(self) -> list[tuple[str, str, str]]:
        """(return path, recipient, domain) of everything in the outbound queue."""
        async with self.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT m.return_path, r.recipient, r.domain FROM queue_recipient r"
                " JOIN queue_message m ON m.account_id = r.account_id AND m.id = r.message_id"
                " ORDER BY r.recipient"
            )
        return [tuple(row) for row in rows]


Start = Callable[..., Awaitable[Smtp]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client contexts."""
    files = ensure_self_signed(
        tmp_path_factory.mktemp("tls") / "tls", ["localhost", "127.0.0.1"], dt.datetime.now(dt.UTC)
    )
    client = ssl.create_default_context(cafile=str(files.ca_file))
    return TlsContexts(files.cert_file, files.key_file).server_context(), client


@pytest.fixture
async def start_smtp(
    dsn: str, tmp_path: Path, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Start]:
    """Starts daemons, each with a database connection, directory and mailstore of its own, like a worker."""
    async with AsyncExitStack() as stack:

        async def start(
            role: Role,
            *,
            limits: Limits | None = None,
            plaintext: bool = False,
            intake: Callable[[Intake], Intake] = lambda real: real,
        ) -> Smtp:
            database = await Database.connect(dsn)
            stack.push_async_callback(database.close)
            blobs = FileBlobStore(tmp_path / "blobs")
            await blobs.open()
            mailstore = Mailstore(database, blobs)
            stack.push_async_callback(mailstore.close)
            directory = Directory(database, passwords=Passwords(parameters=_CHEAP_HASH))
            stack.push_async_callback(directory.close)
            await database.listener.start()
            server = SmtpServer(
                role,
                directory,
                intake(mailstore.intake),
                SmtpConfig(allow_plaintext_login_from_loopback=plaintext),
                hostname="mail.example.org",
                tls=certificate[0],
                limits=limits,
            )
            plain, tls = _listen(), _listen()
            await server.start([("plain", plain, "starttls"), ("tls", tls, "implicit")])
            stack.push_async_callback(server.drain, 5)
            ports = plain.getsockname()[1], tls.getsockname()[1]
            await _fill(directory)
            return Smtp(server, mailstore, directory, database, *ports, certificate[1])

        yield start


@pytest.fixture
async def mx(start_smtp: Start) -> Smtp:
    """The role mx."""
    return await start_smtp(Role.MX)


@pytest.fixture
async def submission(start_smtp: Start) -> Smtp:
    """The role submission."""
    return await start_smtp(Role.SUBMISSION)


async def _fill(directory: Directory) -> None:
    if not await directory.is_local_domain("example.org"):
        await directory.create_domain("example.org")
        await directory.create_account(JANE, PASSWORD)
        await directory.create_account(JOHN, PASSWORD)
        await directory.create_alias("team@example.org", [JANE, JOHN])
        await directory.create_alias("away@example.org", ["jane@elsewhere.example"])
        await directory.create_alias("both@example.org", [JANE, "jane@elsewhere.example"])


def _listen() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    return listening
