"""Which chunk is where, in an SQLite file of the moment: a million chunks take no memory.

The truth is in the repository's index objects; this is their working copy.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk's stored form is."""

    pack: str
    offset: int
    length: int


class Catalog:
    """Of one run; the file is gone after close()."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="mailraven-backup-", dir=directory)
        self._db = sqlite3.connect(Path(self._directory.name) / "catalog", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -16384")
        self._db.execute("CREATE TABLE pack (n INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER)")
        self._db.execute(
            "CREATE TABLE chunk (id BLOB PRIMARY KEY, pack INTEGER, at INTEGER, length INTEGER) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE used (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE blob (key TEXT PRIMARY KEY, size INTEGER, sha256 BLOB) WITHOUT ROWID")
        self._db.execute("CREATE TABLE bundle (id BLOB PRIMARY KEY, account INTEGER, bodies BLOB) WITHOUT ROWID")

    def close(self) -> None:
        """Remove the file."""
        self._db.close()
        self._directory.cleanup()

    # -- packs and chunks --------------------------------------------------------------------------------------

    def add_pack(self, name: str, size: int, chunks: Sequence[tuple[bytes, int, int]]) -> None:
        """`chunks`: (id, offset, length)."""
        self._db.execute("BEGIN")
        self._db.execute("INSERT OR IGNORE INTO pack (name, size) VALUES (?, ?)", (name, size))
        (number,) = self._db.execute("SELECT n FROM pack WHERE name = ?", (name,)).fetchone()
        self._db.executemany(
            "INSERT OR IGNORE INTO chunk VALUES (?, ?, ?, ?)", [(one, number, at, length) for one, at, length in chunks]
        )
        self._db.execute("COMMIT")

    def find(self, chunk_id: bytes) -> Place | None:
        """None: not in any pack."""
        row = self._db.execute(
            "SELECT p.name, c.at, c.length FROM chunk c JOIN pack p ON p.n = c.pack WHERE c.id = ?", (chunk_id,)
        ).fetchone()
        return None if row is None else Place(*row)

    def packs(self) -> Iterator[tuple[str, int]]:
        """(name, size) of all."""
        yield from self._db.execute("SELECT name, size FROM pack ORDER BY n").fetchall()

    def chunks_of(self, pack: str) -> list[tuple[bytes, int, int]]:
        """(id, offset, length) in the order of the file."""
        return self._db.execute(
            "SELECT c.id, c.at, c.length FROM chunk c JOIN pack p ON p.n = c.pack WHERE p.name = ? ORDER BY c.at",
            (pack,),
        ).fetchall()

    # -- what snapshots need -----------------------------------------------------------------------------------

    def use(self, chunk_ids: Sequence[bytes]) -> None:
        """Marks chunks as needed."""
        self._db.executemany("INSERT OR IGNORE INTO used VALUES (?)", [(one,) for one in chunk_ids])

    def missing(self) -> int:
        """Needed chunks that are in no pack."""
        query = "SELECT count(*) FROM used u WHERE NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = u.id)"
        return int(self._db.execute(query).fetchone()[0])

    def usage(self) -> Iterator[tuple[str, int, int]]:
        """For each pack: name, size, octets of it that are needed."""
        yield from self._db.execute(
            "SELECT p.name, p.size, coalesce(sum(CASE WHEN u.id IS NULL THEN 0 ELSE c.length END), 0)"
            "  FROM pack p LEFT JOIN chunk c ON c.pack = p.n LEFT JOIN used u ON u.id = c.id GROUP BY p.n"
        ).fetchall()

    def is_used(self, chunk_id: bytes) -> bool:
        """Whether it was marked."""
        return self._db.execute("SELECT 1 FROM used WHERE id = ?", (chunk_id,)).fetchone() is not None

    # -- bodies still to be copied -----------------------------------------------------------------------------

    def add_blob(self, key: str, size: int, sha256: bytes) -> None:
        """A body in the blob store."""
        self._db.execute("INSERT OR IGNORE INTO blob VALUES (?, ?, ?)", (key, size, sha256))

    def blobs(self, after: str = "", limit: int = 1000) -> list[tuple[str, int, bytes]]:
        """(key, size, sha256) by key."""
        return self._db.execute("SELECT * FROM blob WHERE key > ? ORDER BY key LIMIT ?", (after, limit)).fetchall()

    def blob_totals(self) -> tuple[int, int]:
        """(count, octets)."""
        count, octets = self._db.execute("SELECT count(*), coalesce(sum(size), 0) FROM blob").fetchone()
        return int(count), int(octets)

    def add_bundle(self, bundle_id: bytes, account: int, bodies: bytes) -> None:
        """Bodies of an account that stand in Postgres and are in no pack: their ids, 8 octets each."""
        self._db.execute("INSERT OR IGNORE INTO bundle VALUES (?, ?, ?)", (bundle_id, account, bodies))

    def bundles(self, after: bytes = b"", limit: int = 100) -> list[tuple[bytes, int, bytes]]:
        """(id, account, body ids)."""
        return self._db.execute("SELECT * FROM bundle WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()
