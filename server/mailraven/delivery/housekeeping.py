"""Jobs beside the queue: its gauges, and clearing away what is long finished (once at a time, under a lease)."""

from __future__ import annotations

import asyncio

import structlog

from mailraven import audit, queue, trace
from mailraven.backup.runs import last_good
from mailraven.db import Database, DatabaseUnavailable, acquire_lease
from mailraven.directory import web_sessions
from mailraven.mailstore import Mailstore, Unavailable
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="delivery")
KEEP_SECONDS = 7 * 86400.0  # finished recipients, for tracing
TRACE_SECONDS = 30 * 86400.0
_COUNT_EVERY = 30.0
_PURGE_EVERY = 3600.0
_PURGE_LEASE = "queue-purge"
_TRACE_LEASE = "trace-purge"
_ADMINISTRATION_LEASE = "administration-purge"
_IDLE_MINUTES = 44_640  # the longest that a browser session may be idle, whatever the setting
_COLLECT_LEASE = "body-collector"
_FORGET_REQUESTS = "DELETE FROM send_request WHERE created_at < now() - interval '24 hours'"  # Idempotency-Key


async def run(database: Database, mailstore: Mailstore, token: str) -> None:
    """Until it is cancelled."""
    rounds = 0
    while True:
        try:
            await measure(database)
            if rounds % (_PURGE_EVERY // _COUNT_EVERY) == 0:
                await purge(database, token)
                await purge_trace(database, token)
                await purge_administration(database, token)
                await collect(database, mailstore, token)
        except (DatabaseUnavailable, Unavailable) as error:
            _log.warning("housekeeping waits for the database", error=str(error))
        except Exception:  # noqa: BLE001 - a daemon goes on
            _log.exception("housekeeping failed")
        rounds += 1
        await asyncio.sleep(_COUNT_EVERY)


async def measure(database: Database) -> None:
    """Set the gauges, once what came back for accounts that are held is held too."""
    async with database.acquire() as connection:
        await queue.sweep_held(connection)
        depth = await queue.depth(connection)
        backed_up = await last_good(connection)
    for state, count in depth.counts.items():
        metrics.QUEUE_DEPTH.labels(state=state).set(count)
    metrics.QUEUE_OLDEST_SECONDS.set(depth.late_seconds)
    metrics.BACKUP_LAST_SUCCESS.set(backed_up)


async def purge(database: Database, token: str) -> int:
    """Delete finished messages, in small transactions; 0 when another process is at it."""
    total = 0
    while True:
        async with database.transaction() as connection:
            # Held until the next round: nobody else does the same work again in this hour.
            if await acquire_lease(connection, _PURGE_LEASE, token, _PURGE_EVERY * 0.9) is None:
                return total
            await connection.execute(_FORGET_REQUESTS)
            count = await queue.purge(connection, KEEP_SECONDS)
        total += count
        if not count:
            break
    if total:
        _log.info("finished messages cleared away", messages=total)
    return total


async def purge_trace(database: Database, token: str) -> int:
    """Forget what happened to mail long ago, in small transactions; 0 when another process is at it."""
    total = 0
    while True:
        async with database.transaction() as connection:
            if await acquire_lease(connection, _TRACE_LEASE, token, _PURGE_EVERY * 0.9) is None:
                return total
            count = await trace.purge(connection, TRACE_SECONDS)
        total += count
        if not count:
            break
    if total:
        _log.info("old trace events cleared away", events=total)
    return total


async def purge_administration(database: Database, token: str) -> int:
    """Delete audit entries over 400 days old and browser sessions that ended, in small transactions; 0 when another
    process is at it.
    """
    total = 0
    while True:
        async with database.transaction() as connection:
            if await acquire_lease(connection, _ADMINISTRATION_LEASE, token, _PURGE_EVERY * 0.9) is None:
                return total
            count = await audit.expire(connection)
            count += await web_sessions.expire(connection, idle_minutes=_IDLE_MINUTES)
        total += count
        if not count:
            break
    if total:
        _log.info("old audit entries and sessions cleared away", number=total)
    return total


async def collect(database: Database, mailstore: Mailstore, token: str) -> int:
    """Remove the bodies that nothing has any more; 0 when another process is at it."""
    async with database.acquire() as connection:
        if await acquire_lease(connection, _COLLECT_LEASE, token, _PURGE_EVERY * 0.9) is None:
            return 0
    collected = await mailstore.collect()
    if collected.bodies:
        _log.info("bodies collected", bodies=collected.bodies, octets=collected.octets, blobs=collected.blobs)
    return collected.bodies
