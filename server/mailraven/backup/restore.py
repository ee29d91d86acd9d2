"""A whole restore into an empty instance: blobs first, then all rows in one transaction.

Killed at any point it leaves an instance without a row; the next run finds the blobs that are there already.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import asyncpg
import structlog

from mailraven.backup.bodies import BodyRow, Bundle, Bundler, read_blob, read_bodies
from mailraven.backup.errors import BackupError, DamagedBackup, ForeignVersion, NotEmptyInstance
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.snapshot import Snapshot, Table
from mailraven.backup.tables import TableShape, quoted, shapes
from mailraven.backup.verify import mark_tables
from mailraven.blobs import BlobInfo, BlobMissing, BlobStore
from mailraven.blobs.parallel import in_parallel
from mailraven.db import Connection, Database

_log = structlog.get_logger(component="backup")
_FOR_EVER = 7 * 86400.0
_WRITERS = 4
_EMPTY = ("domain", "account", "message", "queue_message")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, or would do."""

    rows: int
    bodies: int
    blobs_written: int
    held: int
    """Recipients of the queue that wait for somebody to release them."""


async def restore_all(
    database: Database,
    blobs: BlobStore,
    repository: Repository,
    snapshot: Snapshot,
    progress: Progress,
    *,
    dry_run: bool = False,
    hold_queue: bool = True,
    sealing_keys: Iterable[str] | None = None,
) -> Restored:
    """`sealing_keys`: ids of the master keys that this instance has; None: do not ask.

    `hold_queue`: what waited in the queue may have gone out since the backup was made. Raises BackupError,
    DatabaseUnavailable, BlobUnavailable.
    """
    async with database.acquire() as connection:
        wanted = await _check(connection, snapshot, sealing_keys)
    progress.begin("check", snapshot.bodies, "bodies")
    await mark_tables(repository, snapshot)
    if missing := repository.catalog.missing():
        raise DamagedBackup(f"{missing} chunks of the backup are missing: nothing was restored")
    if dry_run:
        return Restored(sum(table.rows for table in snapshot.tables), snapshot.bodies, 0, 0)
    written = await _restore_blobs(blobs, repository, snapshot, progress)
    async with database.acquire() as connection, connection.transaction():
        rows = await _Load(connection, repository, progress).run(snapshot, wanted)
        held = await _hold_queue(connection) if hold_queue else 0
    _log.info("backup_restored", taken_at=snapshot.taken_at.isoformat(), rows=rows, blobs_written=written, held=held)
    return Restored(rows, snapshot.bodies, written, held)


async def _check(
    connection: Connection, snapshot: Snapshot, sealing_keys: Iterable[str] | None
) -> list[tuple[TableShape, Table]]:
    version = await connection.fetchval("SELECT max(version) FROM schema_migration")
    if snapshot.schema_version > version:
        raise ForeignVersion(
            f"the backup is of MailRaven {snapshot.program} (schema {snapshot.schema_version}); "
            f"this program knows schema {version}: restore with that version or a later one"
        )
    await _check_empty(connection)
    if sealing_keys is not None and (lacking := set(snapshot.sealing_keys) - set(sealing_keys)):
        raise BackupError(
            f"secrets in the backup are sealed with the master key {', '.join(sorted(lacking))}, which this instance "
            "does not have: set secrets.key_file (or secrets.previous_key_files) to the key of the source"
        )
    known = {shape.name: shape for shape in await shapes(connection)}
    for table in snapshot.tables:
        shape = known.get(table.name)
        if shape is None or not set(table.columns) <= set(shape.columns):
            raise ForeignVersion(f"this version has no place for the table {table.name} of the backup")
    stored = {table.name: table for table in snapshot.tables}
    return [(shape, stored[name]) for name, shape in known.items() if name in stored]


async def _check_empty(connection: Connection) -> None:
    for name in _EMPTY:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})"):  # noqa: S608 - names of this module
            raise NotEmptyInstance(
                f"this instance is not empty (it has rows in {name}): a whole restore goes into an empty one; "
                "to bring back single domains, accounts or mailboxes name them"
            )


# -- blobs -----------------------------------------------------------------------------------------------------


async def _restore_blobs(blobs: BlobStore, repository: Repository, snapshot: Snapshot, progress: Progress) -> int:
    body = snapshot.table("body")
    if body is None or not snapshot.blobs:
        return 0
    there = {item.key: item.size async for item in _keys(blobs)}
    progress.begin("blobs", snapshot.body_octets)
    written = 0

    async def write(row: BodyRow) -> None:
        nonlocal written
        written += await _restore_blob(blobs, repository, row, there.get(row.key or ""))
        progress.advance(row.size)

    async for rows in read_bodies(repository, body):
        await in_parallel([row for row in rows if row.key is not None], write, _WRITERS)
    return written


async def _keys(blobs: BlobStore) -> AsyncIterator[BlobInfo]:
    async for item in blobs.list():
        yield item


async def _restore_blob(blobs: BlobStore, repository: Repository, row: BodyRow, size: int | None) -> int:
    assert row.key is not None  # noqa: S101 - for the type
    if size == row.size:
        try:
            there = await blobs.get(row.key)
        except BlobMissing:
            there = b""
        if await asyncio.to_thread(_is, there, row.sha256):
            return 0
    await blobs.put(row.key, await read_blob(repository, row))
    return 1


def _is(octets: bytes, digest: bytes) -> bool:
    return hashlib.sha256(octets).digest() == digest


# -- rows ------------------------------------------------------------------------------------------------------


class _Load:
    """All rows, inside the caller's transaction."""

    def __init__(self, connection: Connection, repository: Repository, progress: Progress) -> None:
        self._connection = connection
        self._repository = repository
        self._progress = progress

    async def run(self, snapshot: Snapshot, wanted: list[tuple[TableShape, Table]]) -> int:
        """How many rows."""
        await self._connection.execute("LOCK TABLE domain, account IN EXCLUSIVE MODE")
        await _check_empty(self._connection)  # again, under the lock
        await self._clear([shape.name for shape, _ in wanted])
        self._progress.begin("rows", sum(table.rows for _, table in wanted), "rows")
        for _, table in wanted:
            await self._table(table)
        await self._sequences(snapshot.sequences)
        return sum(table.rows for _, table in wanted)

    async def _clear(self, names: list[str]) -> None:
        """What a new instance has by itself (template, settings, the first token) gives way to what was saved."""
        await self._connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        for name in reversed(names):
            await self._connection.execute(f"DELETE FROM {quoted(name)}")  # noqa: S608 - names of Postgres' catalog
        await self._connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")

    async def _table(self, table: Table) -> None:
        is_body = table.name == "body"
        columns = [*table.columns, "inline"] if is_body else list(table.columns)
        try:
            status = await self._connection.copy_to_table(
                table.name,
                source=self._bodies(table) if is_body else self._rows(table),
                columns=columns,
                format="text",
                timeout=_FOR_EVER,
            )
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise DamagedBackup(f"table {table.name} cannot be loaded: {error}") from None
        if status != f"COPY {table.rows}":
            raise DamagedBackup(f"table {table.name}: {status} where the manifest says {table.rows} rows")

    async def _rows(self, table: Table) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        for chunk in table.chunks:
            octets = await self._repository.get_content(bytes.fromhex(chunk.id))
            digest.update(octets)
            self._progress.advance(chunk.rows)
            yield octets
        if digest.hexdigest() != table.sha256:
            raise DamagedBackup(f"table {table.name} is not what the manifest says")

    async def _bodies(self, table: Table) -> AsyncIterator[bytes]:
        """The stored rows with their octets put back in."""
        bundler = Bundler()
        async for rows in read_bodies(self._repository, table):
            blobs = [b"\t".join((*row.line, b"\\N\n")) for row in rows if row.key is not None]
            if blobs:
                yield b"".join(blobs)
            for bundle in bundler.add(rows):
                yield await self._bundle(bundle)
            self._progress.advance(len(rows))
        for bundle in bundler.finish():
            yield await self._bundle(bundle)

    async def _bundle(self, bundle: Bundle) -> bytes:
        bodies = bundle.split(await self._repository.get(bundle.id(self._repository.codec)))
        return b"".join(
            b"\t".join((*row.line, b"\\\\x" + octets.hex().encode() + b"\n"))
            for row, octets in zip(bundle.rows, bodies, strict=True)
        )

    async def _sequences(self, values: dict[str, int]) -> None:
        known = {row["name"] for row in await self._connection.fetch("SELECT sequencename AS name FROM pg_sequences")}
        for name, value in values.items():
            if name in known:
                await self._connection.execute("SELECT setval(quote_ident($1)::regclass, $2)", name, value)


async def _hold_queue(connection: Connection) -> int:
    status: str = await connection.execute(
        "UPDATE queue_recipient SET held_from = CASE state WHEN 'attempting' THEN 'deferred' ELSE state END,"
        " state = 'held', held_at = now(), lease_token = NULL, leased_until = NULL, updated_at = now()"
        " WHERE state IN ('queued', 'deferred', 'attempting')"
    )
    return int(status.rpartition(" ")[2])
