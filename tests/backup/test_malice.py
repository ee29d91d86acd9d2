"""Backups that somebody made by hand: nothing is written outside, nothing expands without end, nothing is half done."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import zstandard

from mailraven.backup.codec import MAX_PLAIN, Codec
from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, DamagedBackup, ForeignVersion, TargetUnavailable
from mailraven.backup.packs import pack_key
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.restore import restore_all
from mailraven.backup.snapshot import Chunk, Snapshot, Table
from mailraven.blobs import BlobUnavailable
from mailraven.blobs.files import FileBlobStore

from .conftest import Instance


async def rewritten(source: Instance, target: FileBlobStore, name: str, old: bytes, new: bytes) -> Snapshot:
    """A backup with another text in a table, and every digest right."""
    async with Repository.open(target, "write") as repository:
        snapshot = (await create(source.database, source.blobs, repository, Progress()))[1]
        tables = []
        for table in snapshot.tables:
            if table.name == name:
                octets = b"".join([await repository.get_content(bytes.fromhex(one.id)) for one in table.chunks])
                assert old in octets
                octets = octets.replace(old, new)
                chunk_id = await repository.put_content(octets)
                first = table.chunks[0].first
                chunk = Chunk(id=chunk_id.hex(), rows=table.rows, first=first, last=table.chunks[-1].last)
                digest = hashlib.sha256(octets).hexdigest()
                table = table.model_copy(update={"chunks": (chunk,), "sha256": digest})
            tables.append(table)
        snapshot = snapshot.model_copy(update={"tables": tuple(tables)})
        await repository.flush()
        await repository.write_snapshot(snapshot)
    return snapshot


async def restore(empty: Instance, target: FileBlobStore, snapshot: Snapshot) -> None:
    async with Repository.open(target, "read") as repository:
        await restore_all(empty.database, empty.blobs, repository, snapshot, Progress())


@pytest.mark.parametrize(
    "key", [b"../../../../tmp/owned", b"/etc/owned", b"a/../../owned", b".hidden", b"a\\\\..\\\\b"]
)
async def test_keys_that_lead_out_of_the_blob_store(
    source: Instance, empty: Instance, target: FileBlobStore, tmp_path: Path, key: bytes
) -> None:
    async with source.database.acquire() as connection:
        real = await connection.fetchval("SELECT object_key FROM body WHERE object_key IS NOT NULL ORDER BY id LIMIT 1")
    snapshot = await rewritten(source, target, "body", real.encode(), key)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DamagedBackup):
        await restore(empty, target, snapshot)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert not [path for path in written if "target" not in path.parts]
    assert not await empty.directory.list_domains()


async def test_rows_that_break_a_rule_of_the_schema(source: Instance, empty: Instance, target: FileBlobStore) -> None:
    snapshot = await rewritten(source, target, "alias", b"ann@example.test", b"no address")
    with pytest.raises(DamagedBackup, match="alias"):
        await restore(empty, target, snapshot)
    assert not await empty.directory.list_domains()


@pytest.mark.parametrize("name", ["pg_authid", "schema_migration", "nothing"])
async def test_tables_that_are_none_of_a_backup(
    source: Instance, empty: Instance, target: FileBlobStore, name: str
) -> None:
    async with Repository.open(target, "write") as repository:
        snapshot = (await create(source.database, source.blobs, repository, Progress()))[1]
    table = Table(name=name, columns=("x",), rows=0, octets=0, sha256="0" * 64, chunks=())
    with pytest.raises(ForeignVersion, match=name):
        await restore(empty, target, snapshot.model_copy(update={"tables": (*snapshot.tables, table)}))


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_a_bomb_is_not_expanded(key: bytes | None) -> None:
    codec = Codec(bytes(16), key)
    bomb = b"\x01" + zstandard.ZstdCompressor().compress(bytes(MAX_PLAIN + 1))
    endless = b"\x01" + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))
    for framed in (bomb, endless):
        stored = framed
        if codec._cipher is not None:
            nonce = os.urandom(12)
            stored = nonce + codec._cipher.encrypt(nonce, framed, b"id")
        with pytest.raises(DamagedBackup):
            codec.unbox(b"id", stored)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "0" * 63, "0" * 64 + "/x"])
def test_packs_that_cannot_be_one(name: str) -> None:
    with pytest.raises(DamagedBackup):
        pack_key(name)


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b'{"packs": [{"name": "../x", "size": 1, "chunks": []}]}',
        json.dumps({"packs": [{"name": "0" * 64, "size": 9, "chunks": [["0" * 64, 5, 50]]}]}).encode(),
        json.dumps({"packs": [{"name": "0" * 64, "size": 9, "chunks": [["00", 0, 1]]}]}).encode(),
        json.dumps({"packs": [{"name": "0" * 64, "size": 9, "chunks": [["0" * 64, -1, 1]]}]}).encode(),
        b"[" * 100_000,
    ],
)
async def test_indexes_that_point_anywhere(target: FileBlobStore, index: bytes) -> None:
    async with Repository.open(target, "write") as repository:
        stored = repository.codec.box(b"index", index)
    await target.put(f"index/{hashlib.sha256(stored).hexdigest()}", stored)
    with pytest.raises(DamagedBackup):
        async with Repository.open(target, "read"):
            pass


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"{", DamagedBackup),
        (b"[]", ForeignVersion),
        (b'{"format": 2}', ForeignVersion),
        (b'{"format": 1}', DamagedBackup),
        (b'{"format": 1, "surprise": 1}', DamagedBackup),
        (b'{"a":' * 50_000, DamagedBackup),
    ],
)
def test_manifests(document: bytes, error: type[BackupError]) -> None:
    with pytest.raises(error):
        Snapshot.from_json(document)


class Failing(FileBlobStore):
    """Full, or gone, from its n-th change on."""

    left = 10**9

    async def put(self, key: str, data: bytes) -> None:
        if not key.startswith("locks/"):
            self.left -= 1
        if self.left < 0:
            raise BlobUnavailable("no room on the device")
        await super().put(key, data)


async def test_a_target_that_fails_midway(source: Instance, tmp_path: Path) -> None:
    before = await source.fingerprint()
    store = Failing(tmp_path / "failing")
    await store.open()
    failures = 0
    for limit in range(20):
        store.left = limit
        try:
            async with Repository.open(store, "write") as repository:
                await create(source.database, source.blobs, repository, Progress())
        except TargetUnavailable:
            failures += 1
        else:
            break
    assert failures >= 3
    assert await source.fingerprint() == before
    async with source.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM lease WHERE name LIKE 'backup:%'") == 0
    await store.close()


async def test_a_source_that_lost_a_blob(source: Instance, target: FileBlobStore) -> None:
    lost = min([item.key async for item in source.blobs.list()])
    await source.blobs.delete(lost)
    async with Repository.open(target, "write") as repository:
        with pytest.raises(BackupError, match=lost.rpartition("/")[2]):
            await create(source.database, source.blobs, repository, Progress())
    async with Repository.open(target, "read") as repository:
        assert await repository.snapshots() == []
