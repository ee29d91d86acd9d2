"""The book of runs: who made a backup when, how far it is, how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from mailraven.backup.progress import Progress
from mailraven.backup.snapshot import Snapshot
from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven_api.backup import BackupRun

_log = structlog.get_logger(component="backup")
_WRITE_SECONDS = 5.0
_SILENT = timedelta(minutes=10)

_COLUMNS = """
id, actor, target, phase, done, total, unit, name, bodies, body_octets, added_octets, started_at, finished_at,
CASE WHEN state = 'running' AND updated_at < now() - $1::interval THEN 'failed' ELSE state END AS state,
CASE WHEN state = 'running' AND updated_at < now() - $1::interval THEN 'it was ended from outside'
     ELSE error END AS error
"""


class Record:
    """Of one run."""

    def __init__(self, database: Database, run_id: int, progress: Progress) -> None:
        self._database = database
        self._id = run_id
        self._progress = progress
        self.result: tuple[str, Snapshot] | None = None

    async def follow(self) -> None:
        """Writes how far it is, until cancelled."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            job = self._progress
            await self._write(
                "UPDATE backup_run SET phase = $2, done = $3, total = $4, unit = $5, updated_at = now() WHERE id = $1",
                job.phase,
                job.done,
                job.total,
                job.unit,
            )

    async def end(self, error: str) -> None:
        """With what came of it."""
        name, snapshot = self.result or ("", None)
        await self._write(
            "UPDATE backup_run SET state = $2, error = $3, name = $4, bodies = $5, body_octets = $6, added_octets = $7,"
            " phase = '', updated_at = now(), finished_at = now() WHERE id = $1",
            "failed" if error or snapshot is None else "done",
            error,
            name,
            snapshot.bodies if snapshot else 0,
            snapshot.body_octets if snapshot else 0,
            snapshot.added_octets if snapshot else 0,
        )

    async def _write(self, statement: str, *values: object) -> None:
        try:
            async with self._database.acquire() as connection:
                await connection.execute(statement, self._id, *values)
        except DatabaseUnavailable as error:  # a backup does not fail for want of a note
            _log.warning("run not noted", error=str(error))


@asynccontextmanager
async def recorded(database: Database, actor: str, target: str, progress: Progress) -> AsyncIterator[Record]:
    """The run is in the book from its begin to its end, whatever the end is."""
    async with database.acquire() as connection:
        run_id = await begin(connection, actor, target)
    async with resumed(database, run_id, progress) as record:
        yield record


@asynccontextmanager
async def resumed(database: Database, run_id: int, progress: Progress) -> AsyncIterator[Record]:
    """The same for a run that begin() has entered."""
    record = Record(database, run_id, progress)
    following = asyncio.create_task(record.follow())
    error = "it was ended from outside"
    try:
        yield record
        error = ""
    except Exception as reason:
        error = str(reason) or type(reason).__name__
        raise
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await record.end(error)


async def begin(connection: Connection, actor: str, target: str) -> int:
    """Enters a run; its id."""
    run_id: int = await connection.fetchval(
        "INSERT INTO backup_run (actor, target, phase) VALUES ($1, $2, 'starting') RETURNING id", actor, target
    )
    return run_id


async def running(connection: Connection) -> int | None:
    """The id of a run that is at work."""
    found: int | None = await connection.fetchval(
        "SELECT id FROM backup_run WHERE state = 'running' AND updated_at >= now() - $1::interval ORDER BY id LIMIT 1",
        _SILENT,
    )
    return found


async def list_runs(connection: Connection, *, before: int | None = None, limit: int = 100) -> list[BackupRun]:
    """Newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM backup_run WHERE id < coalesce($2, 9223372036854775807) ORDER BY id DESC LIMIT $3",  # noqa: S608 - constants
        _SILENT,
        before,
        limit,
    )
    return [BackupRun(**row) for row in rows]


async def get_run(connection: Connection, run_id: int) -> BackupRun | None:
    """None: there is no such run."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM backup_run WHERE id = $2",  # noqa: S608 - constants
        _SILENT,
        run_id,
    )
    return None if row is None else BackupRun(**row)


async def last_good(connection: Connection) -> float:
    """When the last good backup ended, in seconds since 1970; 0: there was none."""
    found: float = await connection.fetchval(
        "SELECT coalesce(extract(epoch FROM max(finished_at)), 0)::float8 FROM backup_run WHERE state = 'done'"
    )
    return found
