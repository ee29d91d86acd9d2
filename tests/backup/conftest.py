"""A small instance with everything that a backup has to bring back, and a place for backups."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from mailraven.blobs.files import FileBlobStore
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.mailstore import Delivery, LocalTarget, Mailstore, RemoteRecipient, Upload
from mailraven.mailstore.flags import FLAGGED, SEEN
from mailraven.testing.postgres import TestCluster

TABLES = {
    "domain": "id", "account": "id", "alias": "domain_id, localpart, target", "mailbox": "account_id, id",
    "subscription": "account_id, name", "body": "account_id, id", "message": "account_id, mailbox_id, uid",
    "message_flags": "account_id, mailbox_id, uid", "mailbox_change": "account_id, mailbox_id, modseq",
    "queue_message": "account_id, id", "api_token": "id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """A database and a blob store with everything on top of them."""

    dsn: str
    database: Database
    blobs: FileBlobStore
    directory: Directory
    mailstore: Mailstore

    @classmethod
    async def open(cls, dsn: str, blobs: Path) -> Instance:
        """On a migrated database."""
        database = await Database.connect(dsn)
        store = FileBlobStore(blobs)
        await store.open()
        return cls(dsn, database, store, Directory(database), Mailstore(database, store))

    async def close(self) -> None:
        """In reverse order."""
        await self.mailstore.close()
        await self.directory.close()
        await self.blobs.close()
        await self.database.close()

    async def account(self, address: str) -> int:
        """Its id."""
        return (await self.directory.get_account(address)).id

    async def fingerprint(self) -> dict[str, str]:
        """A digest of the rows of each table, and of all blobs."""
        found = {}
        connection = await asyncpg.connect(self.dsn)
        try:
            for table, order in TABLES.items():
                digest = hashlib.sha256()

                async def add(data: bytes, digest: hashlib._Hash = digest) -> None:
                    digest.update(data)

                await connection.copy_from_query(f"SELECT * FROM {table} ORDER BY {order}", output=add)
                found[table] = digest.hexdigest()
        finally:
            await connection.close()
        digest = hashlib.sha256()
        async for item in self.blobs.list():
            digest.update(item.key.encode() + await self.blobs.get(item.key))
        return found | {"blobs": digest.hexdigest()}


def mail(number: int, octets: int = 200) -> bytes:
    """A message of some size; the same number gives the same octets."""
    noise = hashlib.shake_256(b"%d" % number).hexdigest(octets // 2 + 1).encode()
    body = b"\r\n".join(noise[at : at + 76] for at in range(0, len(noise), 76))
    return b"Message-ID: <%d@example.test>\r\nSubject: number %d\r\n\r\n" % (number, number) + body + b"\r\n"


async def populate(instance: Instance) -> None:
    """Small and large bodies, shared ones, flags, keywords, holes, a queue, aliases, a token."""
    directory, mailstore = instance.directory, instance.mailstore
    for domain in ("example.test", "other.test"):
        await directory.create_domain(domain)
    accounts = {}
    for address in ("ann@example.test", "bob@example.test", "cat@other.test"):
        accounts[address] = (await directory.create_account(address, "a long enough pass-phrase")).id
    await directory.create_alias("sales@example.test", ["ann@example.test", "bob@example.test"])
    await directory.create_token("monitoring")
    ann, bob = accounts["ann@example.test"], accounts["bob@example.test"]
    for number, octets in enumerate((100, 1000, 40_000, 5 << 20, 300, 300, 300)):
        both = (
            LocalTarget(ann, "ann@example.test", b"Return-Path: <x@y.test>\r\n"),
            LocalTarget(bob, "bob@example.test"),
        )
        await mailstore.intake.deliver(
            Delivery(raw=mail(number, octets), recipients=both if number % 2 else both[:1], trace_id="t")
        )
    remote = (RemoteRecipient("far@away.test", "away.test"),)
    await mailstore.intake.deliver(
        Delivery(raw=mail(50), recipients=(), remote=remote, return_path="ann@example.test", submitter_account=ann)
    )
    inbox = await mailstore.mailbox(ann, "INBOX")
    await mailstore.store(ann, inbox.id, [1, 3], "add", SEEN | FLAGGED, ("$Important", "Later"))
    await mailstore.store(ann, inbox.id, [2], "add", 8)
    await mailstore.expunge(ann, inbox.id)
    project = await mailstore.create(ann, "Projects/Größe \\ N, {a}")
    await mailstore.append(ann, project.id, [Upload(mail(60), SEEN, ("$Forwarded",)), Upload(mail(61, 50_000))])


@pytest.fixture
async def source(dsn: str, tmp_path: Path) -> AsyncIterator[Instance]:
    """A populated instance."""
    instance = await Instance.open(dsn, tmp_path / "source")
    await populate(instance)
    yield instance
    await instance.close()


@pytest.fixture
async def empty(cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Instance]:
    """A migrated instance without a row."""
    url = await cluster.borrow()
    instance = await Instance.open(url, tmp_path / "empty")
    yield instance
    await instance.close()
    await cluster.give_back(url)


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[FileBlobStore]:
    """Where backups go."""
    store = FileBlobStore(tmp_path / "target")
    await store.open()
    yield store
    await store.close()
