"""Makes a backup: tables of one moment, then the bodies they name, then the manifest, then reads it back."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog

from mailraven import __version__
from mailraven.backup.copying import copy_blobs, copy_bundles
from mailraven.backup.export import BodyTotals, TableExport
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Listed, Repository
from mailraven.backup.snapshot import Snapshot, Table
from mailraven.backup.verify import verify_snapshot
from mailraven.blobs import BlobStore
from mailraven.db import Connection, Database, DatabaseUnavailable

_log = structlog.get_logger(component="backup")
_LEASE_SECONDS = 600.0
_RENEW_SECONDS = 120.0

# How values are written must not depend on the server's settings: unchanged rows have to look unchanged.
_SAME_EVERYWHERE = """
SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1
"""
_HOLD = """
INSERT INTO lease (name, token, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET leased_until = excluded.leased_until
"""


async def create(
    database: Database, blobs: BlobStore, repository: Repository, progress: Progress
) -> tuple[Listed, Snapshot]:
    """A backup that was read back. Raises BackupError, DatabaseUnavailable, BlobUnavailable; then there is none, and
    what was copied serves the next run.
    """
    async with _nothing_collected(database):
        began = datetime.now(UTC)
        progress.begin("tables", unit="rows")
        async with database.acquire() as connection:
            tables, totals, sequences, about = await _read_tables(connection, repository, progress)
        octets = repository.catalog.blob_totals()[1]
        progress.begin("bodies", octets)
        async with database.acquire() as connection:
            await copy_bundles(connection, repository, progress)
        await copy_blobs(blobs, repository, progress)
        await repository.flush()
        snapshot = Snapshot(
            id=secrets.token_hex(16),
            taken_at=about["moment"],
            finished_at=datetime.now(UTC),
            program=__version__,
            schema_version=about["schema_version"],
            postgres=about["postgres"],
            hostname=socket.gethostname(),
            tables=tuple(tables),
            sequences=sequences,
            bodies=totals.bodies,
            body_octets=totals.octets,
            blobs=totals.blobs,
            sealing_keys=tuple(about["sealing_keys"]),
            added_octets=repository.added_octets,
        )
        await verify_snapshot(repository, snapshot, progress, since=began)
        listed = await repository.write_snapshot(snapshot)
    _log.info(
        "backup_created",
        name=listed.name,
        bodies=totals.bodies,
        octets=totals.octets,
        added_octets=repository.added_octets,
        seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
    )
    return listed, snapshot


async def _read_tables(
    connection: Connection, repository: Repository, progress: Progress
) -> tuple[list[Table], BodyTotals, dict[str, int], dict[str, Any]]:
    export = TableExport(connection, repository, progress)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_SAME_EVERYWHERE)
        row = await connection.fetchrow(
            "SELECT now() AS moment, (SELECT max(version) FROM schema_migration) AS schema_version,"
            " current_setting('server_version') AS postgres"
        )
        tables = await export.run()
        sequences = await export.sequences()
        about = dict(row) | {"sealing_keys": await _sealing_keys(connection)}
    return tables, export.totals, sequences, about


async def _sealing_keys(connection: Connection) -> list[str]:
    """Ids of the master keys in use: a restore asks whether it has them."""
    rows = await connection.fetch(
        "SELECT DISTINCT encode(substr(sealed, 2, 4), 'hex') AS id FROM ("
        " SELECT key_sealed AS sealed FROM certificate UNION ALL SELECT private_sealed FROM dkim_key"
        " UNION ALL SELECT totp_sealed FROM account WHERE totp_sealed IS NOT NULL) AS all_of_them ORDER BY id"
    )
    return [row["id"] for row in rows]


@asynccontextmanager
async def _nothing_collected(database: Database) -> AsyncIterator[None]:
    """Bodies that lose their last message meanwhile stay where they are (mailstore/collector.py)."""
    name, token = f"backup:{secrets.token_hex(8)}", secrets.token_hex(8)

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                async with database.acquire() as connection:
                    await connection.execute(_HOLD, name, token, _LEASE_SECONDS)
            except DatabaseUnavailable as error:
                _log.warning("lease not renewed", error=str(error))

    async with database.acquire() as connection:
        await connection.execute(_HOLD, name, token, _LEASE_SECONDS)
    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        try:
            async with database.acquire() as connection:
                await connection.execute("DELETE FROM lease WHERE name = $1", name)
        except DatabaseUnavailable:
            pass  # it ends by itself
