"""Writing the audit log: in the transaction of a change, or in batches beside the path for what changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace

import structlog

from mailraven.audit.entry import Entry, to_row
from mailraven.db import Connection, Database, DatabaseUnavailable

FLUSH_SECONDS = 1.0
WAITING = 5000  # different entries at a time
WAITING_PER_IP = 50
_RETRY_SECONDS = 2.0

_log = structlog.get_logger(component="audit")

_INSERT = """
INSERT INTO audit (actor, ip, request_id, action, target, domain_id, outcome, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb)
"""
_Key = tuple[str, str, str, str, str, int | None]


async def write(connection: Connection, entry: Entry) -> None:
    """In the caller's transaction: a change and its entry are there both or neither."""
    await connection.execute(_INSERT, *to_row(entry))


class AuditLog:
    """For log-ins and refused requests. Bounded: equal entries of a moment are one row with their number, and of what
    one address does in a moment only so many are told apart.
    """

    def __init__(self, database: Database, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._database = database
        self._flush_seconds = flush_seconds
        self._waiting: dict[_Key, Entry] = {}
        self._times: Counter[_Key] = Counter()
        self._per_ip: Counter[str] = Counter()
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def record(self, entry: Entry) -> None:
        """Soon in the log; never waits and never fails."""
        key = _key(entry)
        if key not in self._waiting:
            if self._per_ip[entry.ip] >= WAITING_PER_IP:
                entry = replace(entry, actor="", target="(many)", domain_id=None, before=None, after=None)
                key = _key(entry)
            if key not in self._waiting and len(self._waiting) >= WAITING:
                self._dropped += 1
                return
        if key not in self._waiting:
            self._waiting[key] = entry
            self._per_ip[entry.ip] += 1
        self._times[key] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="audit-log")

    async def flush(self) -> None:
        """Write what waits. Raises DatabaseUnavailable; it waits on then."""
        waiting, times = self._waiting, self._times
        if not waiting:
            return
        self._waiting, self._times, self._per_ip = {}, Counter(), Counter()
        rows = [to_row(_counted(entry, times[key])) for key, entry in waiting.items()]
        try:
            async with self._database.transaction() as connection:
                await connection.executemany(_INSERT, rows)
        except DatabaseUnavailable:
            self._put_back(waiting, times)
            raise
        if self._dropped:
            _log.warning("audit entries dropped", number=self._dropped)
            self._dropped = 0

    async def close(self) -> None:
        """Write what waits, if the database answers."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        try:
            await self.flush()
        except DatabaseUnavailable as error:
            _log.warning("audit entries lost", number=len(self._waiting), error=type(error).__name__)

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._flush_seconds)
            try:
                await asyncio.shield(self.flush())
            except DatabaseUnavailable as error:
                _log.warning("audit entries wait", number=len(self._waiting), error=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    def _put_back(self, waiting: dict[_Key, Entry], times: Counter[_Key]) -> None:
        for key, entry in waiting.items():
            if key in self._waiting or len(self._waiting) < WAITING:
                self._waiting.setdefault(key, entry)
                self._times[key] += times[key]
                self._per_ip[entry.ip] += 1
            else:
                self._dropped += 1


def _key(entry: Entry) -> _Key:
    return (entry.actor, entry.ip, entry.action, entry.target, entry.outcome, entry.domain_id)


def _counted(entry: Entry, times: int) -> Entry:
    return entry if times == 1 else replace(entry, after={**(entry.after or {}), "times": times})
