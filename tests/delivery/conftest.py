"""A site with two domains' worth of real parts, a DNS of its own, and other servers on loopback addresses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from mailraven.blobs import FileBlobStore
from mailraven.config import Config
from mailraven.config.delivery import DeliveryConfig
from mailraven.db import Database
from mailraven.delivery import DeliveryServer
from mailraven.directory import Directory, parse_address
from mailraven.mailstore import Delivery, Mailstore, RemoteRecipient
from mailraven.testing.dns_server import DnsServer
from mailraven.testing.remote_server import RemoteServer, Script
from mailraven.trace import Recorder

MESSAGE = (
    b"Received: from client by mail.ours.test; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    b"From: alice@ours.test\r\nTo: bob@far.test\r\nSubject: greetings\r\n"
    b"Message-ID: <1@ours.test>\r\n\r\nHello.\r\n"
)


@dataclass
class Site:
    """One installation under test."""

    database: Database
    directory: Directory
    mailstore: Mailstore
    trace: Recorder
    dns: DnsServer
    stack: contextlib.AsyncExitStack
    accounts: dict[str, int]
    blob_directory: Path
    dsn: str
    port: int = 0
    remotes: list[RemoteServer] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)

    async def remote(self, *names: str, script: Script | None = None, **fields: object) -> RemoteServer:
        """Another server on an address of its own; `names` become its A records."""
        address = f"127.0.0.{len(self.remotes) + 1}"
        server = await self.stack.enter_async_context(
            RemoteServer(script or {}, address=address, port=self.port, **fields)  # type: ignore[arg-type]
        )
        self.port = server.port
        self.remotes.append(server)
        for name in names:
            self.dns.add_zone(name, f"@ A {address}")
        return server

    async def far(self, script: Script | None = None, **fields: object) -> RemoteServer:
        """The only server of far.test."""
        return await self.remote("far.test", script=script, **fields)

    def server(self, **settings: object) -> DeliveryServer:
        """Not started."""
        if not self.port:
            raise RuntimeError("make a remote first: it chooses the port")
        delivery = DeliveryConfig(
            **{
                "resolver": (self.dns.endpoint,),
                "dns_timeout": 1.0,
                "smtp_port": self.port,
                "allow_private_destinations": True,
                "poll_interval": 5.0,
                **self.settings,
                **settings,
            }
        )
        return DeliveryServer(Config(hostname="mail.ours.test", delivery=delivery), self)

    async def start(self, **settings: object) -> DeliveryServer:
        """A running daemon, drained at the end of the test."""
        server = self.server(**settings)
        await server.start()
        self.stack.push_async_callback(server.drain, 0.5)
        return server

    async def send(
        self, *recipients: str, raw: bytes = MESSAGE, sender: str = "alice@ours.test", **fields: object
    ) -> int:
        """Put a message into the queue, as submission does."""
        remote = tuple(RemoteRecipient(r, parse_address(r).domain) for r in recipients)
        delivered = await self.mailstore.intake.deliver(
            Delivery(
                raw=raw,
                recipients=(),
                remote=remote,
                return_path=sender,
                trace_id="trace-1",
                submitter_account=self.accounts["alice@ours.test"],
                **fields,  # type: ignore[arg-type]
            )
        )
        assert delivered.queue_id is not None
        return delivered.queue_id

    async def rows(self) -> dict[str, asyncpg.Record]:
        """The queue by recipient."""
        async with self.database.acquire() as connection:
            found = await connection.fetch("SELECT * FROM queue_recipient ORDER BY id")
        return {row["recipient"]: row for row in found}

    async def row(self, recipient: str = "bob@far.test") -> asyncpg.Record:
        """One recipient of the queue."""
        return (await self.rows())[recipient]

    async def state(self, recipient: str = "bob@far.test") -> str:
        """Its state."""
        return str((await self.row(recipient))["state"])

    async def ends(self, state: str, recipient: str = "bob@far.test", timeout: float = 15) -> asyncpg.Record:
        """Wait until a recipient has this state."""

        async def reached() -> bool:
            row = (await self.rows()).get(recipient)
            return row is not None and row["state"] == state

        await eventually(reached, timeout, lambda: f"{recipient} should be {state}")
        return await self.row(recipient)

    async def make_due(self, *, age: str = "0 s") -> None:
        """Bring all deferred recipients up, of messages as old as `age`."""
        async with self.database.acquire() as connection:
            await connection.execute("UPDATE queue_recipient SET due_at = now() WHERE state = 'deferred'")
            await connection.execute(f"UPDATE queue_message SET created_at = now() - interval '{age}'")

    async def inbox(self, address: str = "alice@ours.test") -> list[bytes]:
        """All messages of an INBOX."""
        account = self.accounts[address]
        box = await self.mailstore.mailbox(account, "INBOX")
        async with self.database.acquire() as connection:
            uids = await connection.fetch(
                "SELECT uid FROM message WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid", account, box.id
            )
        messages = []
        async for items in self.mailstore.fetch(account, box.id, [row["uid"] for row in uids]):
            for item in items:
                messages.append(await self.mailstore.read(item.body))
        return messages


async def eventually(
    check: Callable[[], Awaitable[object]], timeout: float = 15, what: Callable[[], str] = lambda: "condition"
) -> None:
    """Poll until `check` holds."""
    try:
        async with asyncio.timeout(timeout):
            while not await check():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{what()}: not within {timeout} s")


@pytest.fixture(name="eventually")
def eventually_fixture():
    """Wait for a condition: `await eventually(async_check)`."""
    return eventually


@pytest.fixture
async def site(database: Database, dsn: str, tmp_path: Path) -> AsyncIterator[Site]:
    """ours.test with alice and carol, a DNS, no remote servers yet."""
    blobs = FileBlobStore(tmp_path / "blobs")
    await blobs.open()
    directory = Directory(database)
    mailstore = Mailstore(database, blobs)
    await directory.create_domain("ours.test")
    accounts = {}
    for name in ("alice", "carol"):
        account = await directory.create_account(f"{name}@ours.test", None)
        accounts[account.address] = account.id
    async with contextlib.AsyncExitStack() as stack:
        names = await stack.enter_async_context(DnsServer())
        trace = Recorder(database)
        stack.push_async_callback(trace.close)
        site = Site(database, directory, mailstore, trace, names, stack, accounts, tmp_path / "blobs", dsn)
        yield site
    await mailstore.close()
    await directory.close()
    await blobs.close()
