"""`verify data`: the invariants, and whether rows and blobs belong together; `--repair` mends what can be mended."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from mailraven.blobs import BlobInfo, BlobMissing, BlobStore
from mailraven.blobs.parallel import in_parallel
from mailraven.db import Connection, Database
from mailraven.verify.finding import Finding, Severity
from mailraven.verify.invariants import INVARIANTS, Invariant

_log = structlog.get_logger(component="verify")
_EXAMPLES = 5
_PAGE = 1000
_READERS = 4
_FOR_EVER = 86400.0
GRACE = timedelta(hours=24)
"""A blob is written before its row: a younger one may get a row yet."""

Progress = Callable[[str], None]


async def verify_data(
    database: Database,
    blobs: BlobStore,
    *,
    repair: bool = False,
    deep: bool = False,
    grace: timedelta = GRACE,
    progress: Progress = lambda _: None,
) -> list[Finding]:
    """`deep` reads every blob and compares its digest. Raises DatabaseUnavailable, BlobUnavailable."""
    findings = []
    for invariant in INVARIANTS:
        progress(invariant.name)
        findings.append(await _check(database, invariant, repair))
    progress("blobs")
    with _Blobs() as there:
        await there.fill(blobs)
        findings += await _check_blobs(database, blobs, there, deep=deep, progress=progress)
        findings.append(await _check_orphans(database, blobs, there, grace, repair))
    return findings


async def _check(database: Database, invariant: Invariant, repair: bool) -> Finding:
    async with database.acquire() as connection:
        rows = await connection.fetch(invariant.broken, timeout=_FOR_EVER)
        if not rows:
            return Finding(invariant.name, Severity.OK)
        repaired = 0
        if repair and invariant.repair:
            repaired = await _repair(connection, invariant, rows)
    examples = tuple(row["what"] for row in rows[:_EXAMPLES])
    return Finding(invariant.name, Severity.PROBLEM, invariant.text, len(rows), examples, repaired)


async def _repair(connection: Connection, invariant: Invariant, rows: list[dict[str, int]]) -> int:
    arrays = [[row[name] for row in rows] for name in invariant.ids]
    await connection.execute(invariant.repair, *arrays, timeout=_FOR_EVER)
    left = await connection.fetch(invariant.broken, timeout=_FOR_EVER)
    _log.info("repaired", check=invariant.name, found=len(rows), left=len(left))
    return max(0, len(rows) - len(left))


async def _check_blobs(
    database: Database, blobs: BlobStore, there: _Blobs, *, deep: bool, progress: Progress
) -> list[Finding]:
    missing: list[str] = []
    damaged: list[str] = []
    counts = {"missing": 0, "damaged": 0}
    after = (0, 0)
    while True:
        async with database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT account_id, id, object_key, size, sha256 FROM body"
                " WHERE object_key IS NOT NULL AND (account_id, id) > ($1, $2) ORDER BY account_id, id LIMIT $3",
                *after,
                _PAGE,
            )
        for row in rows:
            size = there.take(row["object_key"])
            what = f"body {row['account_id']}/{row['id']} ({row['object_key']})"
            if size is None:
                _add(missing, counts, "missing", what)
            elif size != row["size"]:
                _add(damaged, counts, "damaged", what)
        if deep:
            for what in await _read(blobs, rows):
                _add(damaged, counts, "damaged", what)
        if len(rows) < _PAGE:
            break
        after = (rows[-1]["account_id"], rows[-1]["id"])
        progress(f"blobs: account {after[0]}")
    return [
        _finding("missing blobs", "a body whose blob is not in the store", counts["missing"], missing),
        _finding("damaged blobs", "a blob that is not what its row says", counts["damaged"], damaged),
    ]


def _add(examples: list[str], counts: dict[str, int], kind: str, what: str) -> None:
    counts[kind] += 1
    if len(examples) < _EXAMPLES:
        examples.append(what)


def _finding(check: str, text: str, count: int, examples: list[str]) -> Finding:
    if not count:
        return Finding(check, Severity.OK)
    return Finding(check, Severity.PROBLEM, text, count, tuple(examples))


async def _read(blobs: BlobStore, rows: list[dict[str, object]]) -> list[str]:
    wrong: list[str] = []

    async def compare(row: dict[str, object]) -> None:
        try:
            octets = await blobs.get(str(row["object_key"]))
        except BlobMissing:
            return  # said already
        digest = await asyncio.to_thread(hashlib.sha256, octets)
        if digest.digest() != row["sha256"] and len(octets) == row["size"]:
            wrong.append(f"body {row['account_id']}/{row['id']} ({row['object_key']})")

    await in_parallel(rows, compare, _READERS)
    return wrong


async def _check_orphans(
    database: Database, blobs: BlobStore, there: _Blobs, grace: timedelta, repair: bool
) -> Finding:
    orphans = there.left(datetime.now(UTC) - grace)
    # A row that came after the blobs were listed makes one no orphan.
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT object_key FROM body WHERE object_key = ANY ($1::text[])", [key for key, _ in orphans], timeout=600
        )
    owned = {row["object_key"] for row in rows}
    orphans = [one for one in orphans if one[0] not in owned]
    if not orphans:
        return Finding("orphans", Severity.OK)
    repaired = 0
    if repair:
        for key, _ in orphans:
            await blobs.delete(key)
            repaired += 1
    text = f"blobs that no row names, {sum(size for _, size in orphans)} octets: they cost room, no mail"
    examples = tuple(key for key, _ in orphans[:_EXAMPLES])
    return Finding("orphans", Severity.WARNING, text, len(orphans), examples, repaired)


class _Blobs:
    """The listing of the store, in a file: millions of keys take no memory."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="mailraven-verify-")
        self._db = sqlite3.connect(Path(self._directory.name) / "blobs", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE blob (key TEXT PRIMARY KEY, size INTEGER, at REAL, named INTEGER DEFAULT 0) WITHOUT ROWID"
        )

    def __enter__(self) -> _Blobs:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._directory.cleanup()

    async def fill(self, blobs: BlobStore) -> None:
        """Raises BlobUnavailable."""
        page: list[BlobInfo] = []
        async for item in blobs.list():
            page.append(item)
            if len(page) == _PAGE:
                self._insert(page)
                page = []
        self._insert(page)

    def _insert(self, page: list[BlobInfo]) -> None:
        rows = [(item.key, item.size, item.modified.timestamp()) for item in page]
        self._db.executemany("INSERT OR REPLACE INTO blob (key, size, at) VALUES (?, ?, ?)", rows)

    def take(self, key: str) -> int | None:
        """Its size, and a row names it; None: it is not there."""
        row = self._db.execute("UPDATE blob SET named = 1 WHERE key = ? RETURNING size", (key,)).fetchone()
        return None if row is None else int(row[0])

    def left(self, before: datetime) -> list[tuple[str, int]]:
        """(key, size) of those that no row named and that are older than `before`."""
        query = "SELECT key, size FROM blob WHERE NOT named AND at < ? ORDER BY key"
        return self._db.execute(query, (before.timestamp(),)).fetchall()
