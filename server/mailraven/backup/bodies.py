"""Message bodies: in bundles where they stand in Postgres, each for itself where it is a blob.

Their chunk ids come from the digests in their rows: what is stored already is known without reading it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from mailraven.backup.codec import Codec
from mailraven.backup.errors import DamagedBackup
from mailraven.backup.repository import Repository
from mailraven.backup.rows import NULL, bytea, split_rows, unescape
from mailraven.backup.snapshot import Table
from mailraven.blobs.store import check_key

COLUMNS = ("account_id", "id", "size", "sha256", "object_key", "segment_offset", "created_at")
"""Of the stored table: all but the octets."""
PIECE = 4 << 20
"""A larger blob is stored in pieces of this size."""
_BUNDLE_OCTETS = 1 << 20
_BUNDLE_MASK = 0x3F


@dataclass(frozen=True, slots=True)
class BodyRow:
    """A row of `body`. `key` is None for one whose octets stand in Postgres."""

    account: int
    id: int
    size: int
    sha256: bytes
    key: str | None
    line: tuple[bytes, ...]
    """Its fields as written."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Neighbours in Postgres that are stored as one chunk: their octets one behind the other."""

    rows: tuple[BodyRow, ...]

    @property
    def octets(self) -> int:
        """Of all."""
        return sum(row.size for row in self.rows)

    def id(self, codec: Codec) -> bytes:
        """Known from the digests of the bodies."""
        return codec.id_of(hashlib.sha256(b"bundle" + b"".join(row.sha256 for row in self.rows)).digest())

    def split(self, plain: bytes) -> list[bytes]:
        """The bodies. Raises DamagedBackup: each is checked against its row."""
        found, at = [], 0
        for row in self.rows:
            octets = plain[at : at + row.size]
            at += row.size
            if hashlib.sha256(octets).digest() != row.sha256:
                raise DamagedBackup(f"body {row.account}/{row.id} is not what its row says")
            found.append(octets)
        if at != len(plain):
            raise DamagedBackup("a bundle holds more than its bodies")
        return found


def parse_bodies(octets: bytes) -> list[BodyRow]:
    """Rows of a chunk of the table. Raises DamagedBackup."""
    try:
        return [_parse(fields) for fields in split_rows(octets)]
    except (ValueError, IndexError):
        raise DamagedBackup("a row of the bodies cannot be read") from None


def _parse(fields: list[bytes]) -> BodyRow:
    if len(fields) != len(COLUMNS):
        raise ValueError("wrong number of fields")
    if fields[5] != NULL:
        raise ValueError("segments are not of this format")
    digest = bytea(fields[3])
    account, body, size, key = int(fields[0]), int(fields[1]), int(fields[2]), unescape(fields[4])
    if len(digest) != 32 or size < 0:
        raise ValueError("wrong digest or size")
    if key is not None:
        check_key(key)  # a restore writes to it: no way out of the blob store
    return BodyRow(account, body, size, digest, key, tuple(fields))


class Bundler:
    """Groups the inline bodies, in the order of the table: the same rows always give the same bundles."""

    def __init__(self) -> None:
        self._rows: list[BodyRow] = []
        self._octets = 0

    def add(self, rows: Sequence[BodyRow]) -> Iterator[Bundle]:
        """The bundles that are complete."""
        for row in rows:
            if row.key is not None:
                continue
            if self._rows and self._rows[0].account != row.account:
                yield self._take()
            self._rows.append(row)
            self._octets += row.size
            if self._octets >= _BUNDLE_OCTETS or not zlib.crc32(b"%d" % row.id) & _BUNDLE_MASK:
                yield self._take()

    def finish(self) -> Iterator[Bundle]:
        """What is left."""
        if self._rows:
            yield self._take()

    def _take(self) -> Bundle:
        rows, self._rows, self._octets = self._rows, [], 0
        return Bundle(tuple(rows))


def blob_id(codec: Codec, sha256: bytes, size: int) -> bytes:
    """Of a blob in one chunk, or of the list of its pieces."""
    if size <= PIECE:
        return codec.id_of(sha256)
    return codec.id_of(hashlib.sha256(b"pieces" + sha256).digest())


async def read_blob(repository: Repository, row: BodyRow) -> bytes:
    """The octets of a blob. Raises DamagedBackup, TargetUnavailable."""
    digest = hashlib.sha256()
    octets = bytearray()
    for piece in await pieces_of(repository, row):
        plain = await repository.get(piece)
        digest.update(plain)
        octets += plain
        if len(octets) > row.size:
            break
    if len(octets) != row.size or digest.digest() != row.sha256:
        raise DamagedBackup(f"body {row.account}/{row.id} is not what its row says")
    return bytes(octets)


async def pieces_of(repository: Repository, row: BodyRow) -> list[bytes]:
    """The chunks that hold a blob's octets."""
    first = blob_id(repository.codec, row.sha256, row.size)
    if row.size <= PIECE:
        return [first]
    plain = await repository.get(first)
    pieces = [plain[at : at + 32] for at in range(0, len(plain), 32)]
    if len(plain) % 32 or len(pieces) != -(-row.size // PIECE):
        raise DamagedBackup(f"the list of pieces of body {row.account}/{row.id} is wrong")
    return pieces


async def read_bodies(repository: Repository, table: Table) -> AsyncIterator[list[BodyRow]]:
    """The rows of the table `body`, chunk by chunk, in order."""
    if table.columns != COLUMNS:
        raise DamagedBackup("the table of bodies has other columns")
    for chunk in table.chunks:
        rows = parse_bodies(await repository.get_content(bytes.fromhex(chunk.id)))
        if len(rows) != chunk.rows:
            raise DamagedBackup("a chunk of the bodies has another number of rows")
        yield rows
