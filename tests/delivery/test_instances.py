"""From one MailRaven to another, and from Postfix to MailRaven: SMTP in, queue, SMTP out, INBOX."""

import asyncio
import contextlib
import datetime as dt
import smtplib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailraven.blobs import FileBlobStore
from mailraven.config import SmtpConfig
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.mailstore import Mailstore
from mailraven.smtpd import SmtpServer
from mailraven.testing import postfix
from mailraven.testing.postfix import running_postfix
from mailraven.testing.postgres import TestCluster
from mailraven.tls import TlsContexts
from mailraven.tls.selfsigned import ensure_self_signed


@dataclass
class Other:
    """The second installation: far.test with bob and zoe."""

    mailstore: Mailstore
    directory: Directory
    port: int

    async def inbox(self, address: str) -> list[bytes]:
        account = (await self.directory.get_account(address)).id
        box = await self.mailstore.mailbox(account, "INBOX")
        found = []
        async for chunk in self.mailstore.fetch(account, box.id, list(range(1, box.uidnext))):
            found += [await self.mailstore.read(items.body) for items in chunk]
        return found


@pytest.fixture
async def other(cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Other]:
    dsn = await cluster.borrow()
    database = await Database.connect(dsn)
    blobs = FileBlobStore(tmp_path / "other")
    await blobs.open()
    directory, mailstore = Directory(database), Mailstore(database, blobs)
    await directory.create_domain("far.test")
    for name in ("bob", "zoe"):
        await directory.create_account(f"{name}@far.test", None)
    files = ensure_self_signed(tmp_path / "tls", ["mx.far.test"], dt.datetime.now(dt.UTC))
    server = SmtpServer(
        "mx",
        directory,
        mailstore.intake,
        SmtpConfig(),
        hostname="mx.far.test",
        tls=TlsContexts(files.cert_file, files.key_file).server_context(),
    )
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start([("mx", listening, "starttls")])
    yield Other(mailstore, directory, listening.getsockname()[1])
    await server.drain(1)
    await mailstore.close()
    await directory.close()
    await blobs.close()
    await database.close()
    await cluster.give_back(dsn)


@contextlib.asynccontextmanager
async def listening_for(site, role: str, **settings: object) -> AsyncIterator[int]:
    """An SMTP listener of `site`."""
    server = SmtpServer(role, site.directory, site.mailstore.intake, SmtpConfig(**settings), hostname="mail.ours.test")
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start([(role, listening, "none")])
    yield listening.getsockname()[1]
    await server.drain(1)


async def test_submitted_mail_reaches_the_other_installation(site, other: Other):
    site.port = other.port
    site.dns.add_zone("far.test", "@ MX 10 mx\nmx A 127.0.0.1")
    await site.directory.set_password("alice@ours.test", "a long enough password")
    await site.start()
    body = b"From: alice@ours.test\r\nSubject: hi\r\n\r\n.\r\n..dots\r\n"

    def submit(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.login("alice@ours.test", "a long enough password")
            client.sendmail("alice@ours.test", ["bob@far.test", "zoe@far.test", "nobody@far.test"], body)

    async with listening_for(site, "submission", allow_plaintext_login_from_loopback=True) as port:
        await asyncio.to_thread(submit, port)
        for name in ("bob", "zoe"):
            row = await site.ends("delivered", f"{name}@far.test")
            assert row["last_status"].startswith("2.")
        await site.ends("failed", "nobody@far.test")
    for name in ("bob", "zoe"):
        (got,) = await other.inbox(f"{name}@far.test")
        assert got.startswith(b"Return-Path: <alice@ours.test>\r\n")
        assert got.endswith(body.partition(b"\r\n\r\n")[2])
        assert b"with ESMTPS" in got
        assert b"by mail.ours.test" in got
    (notice,) = await site.inbox()
    assert b"Final-Recipient: rfc822; nobody@far.test\r\n" in notice
    assert b"Status: 5.1.1\r\n" in notice


async def test_bulk_between_installations(site, other: Other):
    site.port = other.port
    site.dns.add_zone("far.test", "@ MX 10 mx\nmx A 127.0.0.1")
    for n in range(100):
        await site.send("bob@far.test", raw=b"Subject: %d\r\n\r\nbody\r\n" % n)
    await site.start()

    async def done() -> bool:
        async with site.database.acquire() as connection:
            return not await connection.fetchval("SELECT count(*) FROM queue_recipient WHERE state <> 'delivered'")

    async with asyncio.timeout(60):
        while not await done():
            await asyncio.sleep(0.02)
    subjects = sorted(int(m.partition(b"Subject: ")[2].split()[0]) for m in await other.inbox("bob@far.test"))
    assert subjects == list(range(100))


@pytest.mark.clients
async def test_postfix_sends_to_us(site, eventually):
    if reason := postfix.missing():
        pytest.skip(reason)
    body = b"From: bob@far.test\r\nSubject: from postfix\r\n\r\n.\r\n..\r\n"
    async with listening_for(site, "mx") as port:
        with running_postfix(users=["bob@far.test"], routes={"ours.test": ("127.0.0.1", port)}) as peer:
            recipients = ["alice@ours.test", "carol@ours.test", "nobody@ours.test"]
            await asyncio.to_thread(peer.send, "bob@far.test", recipients, body)

            async def arrived() -> bool:
                return all([await site.inbox(f"{name}@ours.test") for name in ("alice", "carol")])

            await eventually(arrived, 30, peer.log)

            async def refused() -> bool:
                return bool(peer.mail_for("bob@far.test"))

            await eventually(refused, 30, peer.log)
            (notice,) = peer.mail_for("bob@far.test")
    assert b"550 5.1.1" in notice
    (got,) = await site.inbox()
    assert got.startswith(b"Return-Path: <bob@far.test>\r\n")
    assert got.endswith(b"\r\n\r\n.\r\n..\r\n")
