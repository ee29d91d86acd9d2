"""The bodies that the repository lacks: bundles out of Postgres, blobs out of the blob store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from mailraven.backup.bodies import PIECE, blob_id
from mailraven.backup.errors import SourceChanged
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.blobs import BlobMissing, BlobStore, BlobUnavailable
from mailraven.blobs.parallel import in_parallel
from mailraven.db import Connection

_READERS = 4
_BUNDLES = 50

_BODIES = """
SELECT b.inline, b.sha256 FROM unnest($2::bigint[]) WITH ORDINALITY AS wanted(id, nth)
  JOIN body b ON b.account_id = $1 AND b.id = wanted.id ORDER BY wanted.nth
"""


async def copy_bundles(connection: Connection, repository: Repository, progress: Progress) -> None:
    """Raises SourceChanged."""
    after = b""
    while page := repository.catalog.bundles(after, _BUNDLES):
        for bundle_id, account, packed in page:
            ids = [int.from_bytes(packed[at : at + 8], "big") for at in range(0, len(packed), 8)]
            rows = await connection.fetch(_BODIES, account, ids)
            if len(rows) != len(ids) or any(row["inline"] is None for row in rows):
                raise SourceChanged(f"bodies of account {account} went away while they were read: run the backup again")
            plain = b"".join(row["inline"] for row in rows)
            derived = hashlib.sha256(b"bundle" + b"".join(row["sha256"] for row in rows)).digest()
            if repository.codec.id_of(derived) != bundle_id:
                raise SourceChanged(f"bodies of account {account} changed while they were read")
            await repository.put(bundle_id, plain)
            progress.advance(len(plain))
        after = page[-1][0]


async def copy_blobs(blobs: BlobStore, repository: Repository, progress: Progress) -> None:
    """Each is checked against its digest. Raises SourceChanged: one is missing or damaged."""
    after = ""
    while page := repository.catalog.blobs(after):
        copies = [_Copy(blobs, repository, progress, *one) for one in page]
        await in_parallel(copies, lambda copy: copy(), _READERS)
        after = page[-1][0]


class _Copy:
    def __init__(
        self, blobs: BlobStore, repository: Repository, progress: Progress, key: str, size: int, sha256: bytes
    ) -> None:
        self._blobs = blobs
        self._repository = repository
        self._progress = progress
        self._key = key
        self._size = size
        self._sha256 = sha256

    async def __call__(self) -> None:
        chunk_id = blob_id(self._repository.codec, self._sha256, self._size)
        if self._repository.knows(chunk_id):  # two messages with the same octets
            self._progress.advance(self._size)
            return
        if self._size <= PIECE:
            octets = await self._read(0, self._size)
            self._check(hashlib.sha256(octets))
            await self._repository.put(chunk_id, octets)
            return
        digest, pieces = hashlib.sha256(), b""
        for at in range(0, self._size, PIECE):
            octets = await self._read(at, PIECE)
            await asyncio.to_thread(digest.update, octets)
            pieces += await self._repository.put_content(octets)
        self._check(digest)
        await self._repository.put(chunk_id, pieces)

    async def _read(self, at: int, length: int) -> bytes:
        try:
            octets = await _patient(lambda: self._blobs.get(self._key, at, length))
        except BlobMissing:
            raise SourceChanged(
                f"blob {self._key} is missing: `mailraven verify data` says what it belongs to"
            ) from None
        self._progress.advance(len(octets))
        return octets

    def _check(self, digest: hashlib._Hash) -> None:
        if digest.digest() != self._sha256:
            raise SourceChanged(f"blob {self._key} is damaged: `mailraven verify data` says what it belongs to")


async def _patient(read: Callable[[], Awaitable[bytes]]) -> bytes:
    """A store that stumbles must not end a backup of hours."""
    for delay in (1.0, 4.0, 15.0):
        try:
            return await read()
        except BlobUnavailable:
            await asyncio.sleep(delay)
    return await read()
