"""Message octets: which location they get, and reading them back from any location."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mailraven.blobs import BlobMissing, BlobStore, BlobUnavailable
from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.mailstore.errors import Unavailable
from mailraven.mailstore.model import BodyRef

_log = structlog.get_logger(component="mailstore")
_ID_BLOCK = 64  # INCREMENT of body_id_seq
_PARALLEL_BLOBS = 8
_HASH_ON_LOOP = 1 << 20  # octets: below a millisecond

_SELECT = """
SELECT b.account_id, b.id, b.inline, b.object_key, b.segment_offset, b.size
FROM unnest($1::bigint[], $2::bigint[]) AS wanted(account_id, id)
JOIN body b ON b.account_id = wanted.account_id AND b.id = wanted.id
"""

_HEADS = """
SELECT b.account_id, b.id, substr(b.inline, 1, $3) AS inline, b.object_key, b.segment_offset, b.size
FROM unnest($1::bigint[], $2::bigint[]) AS wanted(account_id, id)
JOIN body b ON b.account_id = wanted.account_id AND b.id = wanted.id
"""


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A row of `body` to insert: exactly one of `inline` and `object_key` is set."""

    account: int
    id: int
    size: int
    sha256: bytes
    inline: bytes | None
    object_key: str | None


class BodyStore:
    """Puts bodies where they belong (small: inline in Postgres; large: a blob, written first) and reads them."""

    def __init__(self, database: Database, blobs: BlobStore, inline_max: int) -> None:
        self._database = database
        self._blobs = blobs
        self._inline_max = inline_max
        self._ids: list[int] = []
        self._id_lock = asyncio.Lock()

    async def place(self, account: int, raw: bytes, connection: Connection | None = None) -> StoredBody:
        """Choose the location; a large body is durable in the blob store on return. The row comes with the message.

        Who holds a connection passes it.

        Raises:
            Unavailable: the blob store or the database is away.
        """
        body_id = self._ids.pop() if self._ids else await self._next_id(connection)
        if len(raw) <= self._inline_max:
            return StoredBody(account, body_id, len(raw), hashlib.sha256(raw).digest(), raw, None)
        hashed = hashlib.sha256(raw) if len(raw) <= _HASH_ON_LOOP else await asyncio.to_thread(hashlib.sha256, raw)
        digest = hashed.digest()
        name = uuid.uuid4().hex
        key = f"{name[:2]}/{name}"  # 256 directories: their fsync is paid once
        try:
            await self._blobs.put(key, raw)
        except BlobUnavailable as error:
            raise Unavailable(f"blob store: {error}") from error
        return StoredBody(account, body_id, len(raw), digest, None, key)

    async def read(self, ref: BodyRef, offset: int = 0, length: int | None = None) -> bytes:
        """The octets of a message, prefix first, or a slice of them.

        Raises:
            Unavailable: its location is away, or the blob is missing (logged as an error).
        """
        if length is None:
            length = max(ref.size - offset, 0)
        start = offset - len(ref.prefix)
        head = ref.prefix[offset : offset + length] if start < 0 else b""
        wanted = length - len(head)
        if wanted <= 0:
            return head
        rows = await self._rows([ref])
        if (ref.account, ref.id) not in rows:
            raise Unavailable(f"body {ref.account}/{ref.id} has no row")
        return head + await self._octets(rows[ref.account, ref.id], max(start, 0), wanted)

    async def read_heads(self, refs: Sequence[BodyRef], octets: int) -> list[bytes]:
        """The first octets of many messages, in order; of one that cannot be read now, none."""
        try:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_HEADS, [ref.account for ref in refs], [ref.id for ref in refs], octets)
        except DatabaseUnavailable as error:
            raise Unavailable(str(error)) from error
        found = {(row["account_id"], row["id"]): row for row in rows}
        slots = asyncio.Semaphore(_PARALLEL_BLOBS)

        async def head(ref: BodyRef) -> bytes:
            row = found.get((ref.account, ref.id))
            wanted = octets - len(ref.prefix)
            if row is None or wanted <= 0:
                return ref.prefix[:octets]
            async with slots:
                try:
                    return ref.prefix + await self._octets(row, 0, wanted)
                except Unavailable:
                    return b""

        return list(await asyncio.gather(*(head(ref) for ref in refs)))

    async def read_many(self, refs: Sequence[BodyRef], budget: int = 8 << 20) -> AsyncIterator[list[bytes]]:
        """The octets of many messages, in order, in lists of some `budget` octets."""
        first = 0
        while first < len(refs):
            last, octets = first, 0
            while last < len(refs) and (last == first or octets + refs[last].size <= budget) and last - first < 500:
                octets += refs[last].size
                last += 1
            chunk = refs[first:last]
            rows = await self._rows(chunk)
            yield await self._gather(chunk, rows)
            first = last

    async def _gather(self, refs: Sequence[BodyRef], rows: dict[tuple[int, int], Any]) -> list[bytes]:
        found: list[bytes] = [b""] * len(refs)
        remote: list[int] = []
        for index, ref in enumerate(refs):
            row = rows.get((ref.account, ref.id))
            if row is None:
                raise Unavailable(f"body {ref.account}/{ref.id} has no row")
            if row["inline"] is not None:
                found[index] = ref.prefix + row["inline"]
            else:
                remote.append(index)
        slots = asyncio.Semaphore(_PARALLEL_BLOBS)

        async def fetch(index: int) -> None:
            ref = refs[index]
            row = rows[ref.account, ref.id]
            async with slots:
                found[index] = ref.prefix + await self._octets(row, 0, row["size"])

        if remote:
            await asyncio.gather(*(fetch(index) for index in remote))
        return found

    async def _rows(self, refs: Sequence[BodyRef]) -> dict[tuple[int, int], Any]:
        try:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_SELECT, [ref.account for ref in refs], [ref.id for ref in refs])
        except DatabaseUnavailable as error:
            raise Unavailable(str(error)) from error
        return {(row["account_id"], row["id"]): row for row in rows}

    async def _octets(self, row: Any, offset: int, length: int) -> bytes:
        if row["inline"] is not None:
            inline: bytes = row["inline"]
            return inline if offset == 0 and length >= len(inline) else inline[offset : offset + length]
        length = min(length, row["size"] - offset)
        if length <= 0:
            return b""
        try:
            return await self._blobs.get(row["object_key"], (row["segment_offset"] or 0) + offset, length)
        except BlobMissing as error:
            _log.error("blob is missing", key=row["object_key"], account=row["account_id"], body=row["id"])
            raise Unavailable("blob is missing") from error
        except BlobUnavailable as error:
            raise Unavailable(f"blob store: {error}") from error

    async def _next_id(self, connection: Connection | None) -> int:
        if connection is not None:
            return await self._take_block(connection)
        async with self._id_lock:
            if self._ids:
                return self._ids.pop()
            try:
                async with self._database.acquire() as borrowed:
                    return await self._take_block(borrowed)
            except DatabaseUnavailable as error:
                raise Unavailable(str(error)) from error

    async def _take_block(self, connection: Connection) -> int:
        first: int = await connection.fetchval("SELECT nextval('body_id_seq')")
        self._ids += range(first + _ID_BLOCK - 1, first, -1)
        return first
