"""A place for backups: packs of chunks, indexes of packs, manifests of snapshots, on any blob store.

mailraven-backup                 JSON: format, id, encryption
data/ab/<sha256>                 packs
index/<sha256>                   which chunk is where in which pack
snapshots/<time>-<sha256>        manifests
locks/                           who is at work
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailraven.backup import locks
from mailraven.backup.catalog import Catalog, Place
from mailraven.backup.codec import MAX_PLAIN, Codec
from mailraven.backup.errors import DamagedBackup, ForeignVersion, NoRepository, TargetUnavailable, WrongKey
from mailraven.backup.locks import Purpose
from mailraven.backup.packs import Entry, PackWriter, pack_key
from mailraven.backup.place import HEAD
from mailraven.backup.snapshot import FORMAT, Snapshot
from mailraven.blobs import BlobMissing, BlobStore, BlobUnavailable

_INDEX_EVERY = 8  # packs: what a kill may cost
_INDEX, _MANIFEST = b"index", b"snapshot"


@dataclass(frozen=True, slots=True)
class Listed:
    """A manifest by its name; `taken` is the time in the name."""

    key: str
    taken: str

    @property
    def name(self) -> str:
        """Short, for people."""
        return self.key.removeprefix("snapshots/")[:32]


class Repository:
    """Open for one run. Reading does not change it."""

    def __init__(self, store: BlobStore, codec: Codec, catalog: Catalog) -> None:
        self.store = store
        self.codec = codec
        self.catalog = catalog
        self._unlisted: list[dict[str, Any]] = []
        self._writer = PackWriter(self._put, self._pack_written)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, store: BlobStore, purpose: Purpose, key: bytes | None = None, *, scratch: Path | None = None
    ) -> AsyncIterator[Repository]:
        """Locked for the purpose, then the indexes read. To write makes it where it is not.

        Raises NoRepository, WrongKey, ForeignVersion, DamagedBackup, Busy, TargetUnavailable.
        """
        try:
            head = await store.get(HEAD)
        except BlobMissing:
            if purpose != "write":
                raise NoRepository("there is no backup here") from None
            head = await _found(store, key)
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error
        codec = _codec(head, key)
        catalog = Catalog(scratch)
        repository = cls(store, codec, catalog)
        try:
            async with locks.hold(store, purpose):
                await repository._load()
                yield repository
        finally:
            await repository._writer.abort()
            catalog.close()

    @property
    def added_octets(self) -> int:
        """Uploaded in this run."""
        return self._writer.octets

    # -- chunks ------------------------------------------------------------------------------------------------

    def knows(self, chunk_id: bytes) -> bool:
        """Whether it is there, or on its way."""
        return self._writer.holds(chunk_id) or self.catalog.find(chunk_id) is not None

    async def put(self, chunk_id: bytes, plain: bytes) -> None:
        """Nothing, for one that is known. Durable after flush()."""
        if len(plain) > MAX_PLAIN:
            raise ValueError("a chunk is too large")
        if not self.knows(chunk_id):
            await self._writer.add(chunk_id, await asyncio.to_thread(self.codec.box, chunk_id, plain))

    async def put_content(self, plain: bytes) -> bytes:
        """The id of octets that are stored under their digest."""
        chunk_id = await asyncio.to_thread(self.codec.content_id, plain)
        await self.put(chunk_id, plain)
        return chunk_id

    async def flush(self) -> None:
        """All chunks and their indexes are durable on return. Raises TargetUnavailable."""
        await self._writer.flush()
        await self._write_index()

    async def get(self, chunk_id: bytes) -> bytes:
        """Raises DamagedBackup, TargetUnavailable."""
        place = self.catalog.find(chunk_id)
        if place is None:
            raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} is in no pack")
        stored = await self._read(place)
        return await asyncio.to_thread(self.codec.unbox, chunk_id, stored)

    async def get_content(self, chunk_id: bytes) -> bytes:
        """Checked against its id."""
        plain = await self.get(chunk_id)
        if await asyncio.to_thread(self.codec.content_id, plain) != chunk_id:
            raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} holds something else")
        return plain

    async def read_pack(self, name: str, size: int) -> bytes:
        """The whole, checked against its name."""
        try:
            octets = await self.store.get(pack_key(name))
        except BlobMissing:
            raise DamagedBackup(f"pack {name[:16]} is missing") from None
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error
        if len(octets) != size or (await asyncio.to_thread(hashlib.sha256, octets)).hexdigest() != name:
            raise DamagedBackup(f"pack {name[:16]} is damaged")
        return octets

    async def _read(self, place: Place) -> bytes:
        try:
            stored = await self.store.get(pack_key(place.pack), place.offset, place.length)
        except BlobMissing:
            raise DamagedBackup(f"pack {place.pack[:16]} is missing") from None
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error
        if len(stored) != place.length:
            raise DamagedBackup(f"pack {place.pack[:16]} is cut off")
        return stored

    # -- manifests ---------------------------------------------------------------------------------------------

    async def snapshots(self) -> list[Listed]:
        """Oldest first."""
        found = []
        try:
            async for item in self.store.list("snapshots/"):
                found.append(Listed(item.key, item.key.removeprefix("snapshots/").partition("-")[0]))
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error
        return sorted(found, key=lambda one: one.key)

    async def read_snapshot(self, listed: Listed) -> Snapshot:
        """Raises DamagedBackup, ForeignVersion."""
        stored = await self._object(listed.key)
        if hashlib.sha256(stored).hexdigest()[:32] != listed.key.rpartition("-")[2]:
            raise DamagedBackup(f"manifest {listed.name} is damaged")
        return Snapshot.from_json(self.codec.unbox(_MANIFEST, stored))

    async def write_snapshot(self, snapshot: Snapshot) -> Listed:
        """Last of all: from now on it is a backup."""
        stored = self.codec.box(_MANIFEST, snapshot.to_json())
        stamp = snapshot.taken_at.strftime("%Y%m%dT%H%M%S.%fZ")
        key = f"snapshots/{stamp}-{hashlib.sha256(stored).hexdigest()[:32]}"
        await self._put(key, stored)
        return Listed(key, stamp)

    # -- for prune ---------------------------------------------------------------------------------------------

    async def write_index(self, packs: list[tuple[str, int, list[Entry]]]) -> str:
        """An index of these packs; its key."""
        return await self._put_index([_index_entry(*pack) for pack in packs])

    async def put_object(self, key: str, octets: bytes) -> None:
        """Raises TargetUnavailable."""
        await self._put(key, octets)

    # -- inside ------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            async for item in self.store.list("index/"):
                stored = await self._object(item.key)
                if hashlib.sha256(stored).hexdigest() != item.key.removeprefix("index/"):
                    raise DamagedBackup(f"index {item.key[6:22]} is damaged")
                self._take_index(self.codec.unbox(_INDEX, stored))
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error

    def _take_index(self, plain: bytes) -> None:
        try:
            for pack in json.loads(plain)["packs"]:
                pack_key(pack["name"])
                entries = [(bytes.fromhex(one), int(at), int(length)) for one, at, length in pack["chunks"]]
                size = int(pack["size"])
                if any(len(one) != 32 or at < 0 or length < 0 or at + length > size for one, at, length in entries):
                    raise DamagedBackup(f"the index of pack {pack['name'][:16]} points outside of it")
                self.catalog.add_pack(pack["name"], size, entries)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            raise DamagedBackup("an index cannot be read") from None

    async def _pack_written(self, name: str, size: int, entries: list[Entry]) -> None:
        self.catalog.add_pack(name, size, entries)
        self._unlisted.append(_index_entry(name, size, entries))
        if len(self._unlisted) >= _INDEX_EVERY:
            await self._write_index()

    async def _write_index(self) -> None:
        packs, self._unlisted = self._unlisted, []
        if packs:
            await self._put_index(packs)

    async def _put_index(self, packs: list[dict[str, Any]]) -> str:
        plain = json.dumps({"packs": packs}, separators=(",", ":")).encode()
        stored = await asyncio.to_thread(self.codec.box, _INDEX, plain)
        key = f"index/{hashlib.sha256(stored).hexdigest()}"
        await self._put(key, stored)
        return key

    async def _put(self, key: str, octets: bytes) -> None:
        try:
            await self.store.put(key, octets)
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error

    async def _object(self, key: str) -> bytes:
        try:
            return await self.store.get(key)
        except BlobMissing:
            raise DamagedBackup(f"{key} is missing") from None
        except BlobUnavailable as error:
            raise TargetUnavailable(str(error)) from error


def _index_entry(name: str, size: int, entries: list[Entry]) -> dict[str, Any]:
    return {"name": name, "size": size, "chunks": [[one.hex(), at, length] for one, at, length in entries]}


async def _found(store: BlobStore, key: bytes | None) -> bytes:
    """Makes an empty repository: its head. Not over anything that is there."""
    try:
        async for item in store.list("snapshots/"):
            raise DamagedBackup(f"{item.key} is here, but the file {HEAD} is not")
        identity = secrets.token_bytes(16)
        codec = Codec(identity, key)
        document: dict[str, Any] = {"format": FORMAT, "id": base64.b16encode(identity).decode().lower()}
        document["encryption"] = {"kind": "aes-256-gcm", "key_check": codec.key_check()} if key else None
        head = json.dumps(document).encode()
        await store.put(HEAD, head)
    except BlobUnavailable as error:
        raise TargetUnavailable(str(error)) from error
    return head


def _codec(head: bytes, key: bytes | None) -> Codec:
    try:
        document = json.loads(head)
        version = document["format"]
        identity = bytes.fromhex(document["id"])
        encryption = document["encryption"]
        check = encryption["key_check"] if encryption else None
        kind = encryption["kind"] if encryption else None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedBackup(f"the file {HEAD} cannot be read") from None
    if version != FORMAT:
        raise ForeignVersion(f"the backups here have format {version!r}; this program reads format {FORMAT}")
    if kind is None:
        if key is not None:
            raise WrongKey(
                "the backups here are not encrypted, but a key was given; use another target for encrypted ones"
            )
        return Codec(identity)
    if kind != "aes-256-gcm":
        raise ForeignVersion(f"the backups here are encrypted by {kind!r}, which this program does not know")
    if key is None:
        raise WrongKey("the backups here are encrypted: name the key file")
    codec = Codec(identity, key)
    if codec.key_check() != check:
        raise WrongKey("the key is not the one that these backups are encrypted with")
    return codec
