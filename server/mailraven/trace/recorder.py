"""Writes trace events beside the path of the mail: in batches, in time, and never so that mail waits for them."""

import asyncio
import contextlib

import structlog

from mailraven.db import Database, DatabaseUnavailable
from mailraven.telemetry import metrics
from mailraven.trace.event import TraceEvent, columns

_log = structlog.get_logger(component="trace")
CAPACITY = 20_000
_BATCH = 500
_SECONDS = 0.5  # an event waits so long for others: each batch costs as much as some twenty events
_PAUSE = 2.0  # while Postgres is away
_CLOSE_SECONDS = 3.0

# One statement is its own transaction, and this one need not wait for the disk: a trace may be lost, mail may not.
_INSERT = """
INSERT INTO trace_event (at, trace_id, kind, account_id, message_id, sender, recipient, peer, detail)
SELECT e.* FROM (SELECT set_config('synchronous_commit', 'off', true)) AS fast,
       unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::text[]) AS e
"""


class Recorder:
    """One for a process."""

    def __init__(self, database: Database, *, capacity: int = CAPACITY, seconds: float = _SECONDS) -> None:
        self._database = database
        self._capacity = capacity
        self._seconds = seconds
        self._waiting: list[TraceEvent] = []
        self._full = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    def record(self, event: TraceEvent) -> None:
        """At once, whatever becomes of it; beyond the capacity events are dropped and counted."""
        if len(self._waiting) >= self._capacity or self._closing:
            metrics.TRACE_EVENTS.labels("dropped").inc()
            return
        self._waiting.append(event)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="trace-recorder")
        elif len(self._waiting) % _BATCH == 0:
            self._full.set()

    async def flush(self) -> None:
        """Writes what waits. Raises DatabaseUnavailable."""
        async with self._flushing:
            while self._waiting:
                batch = self._waiting[:_BATCH]
                await self._insert(batch)
                del self._waiting[: len(batch)]

    async def _insert(self, batch: list[TraceEvent]) -> None:
        try:
            async with self._database.acquire() as connection:
                await connection.execute(_INSERT, *columns(batch))
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a trace never stops the mail
            _log.error("trace events dropped", events=len(batch), error=type(error).__name__, detail=str(error))
            metrics.TRACE_EVENTS.labels("dropped").inc(len(batch))
        else:
            metrics.TRACE_EVENTS.labels("written").inc(len(batch))

    async def close(self) -> None:
        """Writes the rest, if Postgres takes it in time."""
        self._closing = True
        self._full.set()
        writer = self._writer
        if writer is not None:
            await asyncio.wait([writer], timeout=_CLOSE_SECONDS)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        if self._waiting:
            metrics.TRACE_EVENTS.labels("dropped").inc(len(self._waiting))
            _log.warning("trace events dropped", events=len(self._waiting))

    async def _write(self) -> None:
        """While there is something to write; then no task is left."""
        pause = self._seconds
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._full.wait()
            self._full.clear()
            try:
                await self.flush()
                pause = self._seconds
            except DatabaseUnavailable as error:
                if self._closing:
                    break
                _log.warning("trace waits for the database", error=str(error), events=len(self._waiting))
                pause = _PAUSE
        self._writer = None
