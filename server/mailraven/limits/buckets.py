"""Token buckets that several processes share (the generic cell rate algorithm): a request each, never leased.

Requests of a moment share a statement; a refusal is repeated from memory until a request would be in order again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog

from mailraven.db import Database
from mailraven.limits import counter_sql
from mailraven.limits.model import CounterKey
from mailraven.telemetry import metrics

_PATIENCE = 2.0
_AWAY_SECONDS = 1.0
_REMEMBERED = 10_000

_log = structlog.get_logger(component="limits")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` requests in the window at an even pace, and `burst` beyond it at once."""

    counter: CounterKey
    count: int
    burst: int

    @property
    def step(self) -> float:
        """Seconds of a request."""
        return self.counter.window_seconds / self.count


class Poured(NamedTuple):
    """`wait_seconds`: until a request is in order (refused), until the bucket is full (allowed)."""

    allowed: bool
    remaining: int = 0
    wait_seconds: float = 0.0


PASSED = Poured(True)


class Buckets:
    """One for a process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[Bucket, list[asyncio.Future[Poured]]] = {}
        self._refused: dict[CounterKey, float] = {}
        self._runner: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._away = False

    async def pour(self, bucket: Bucket) -> Poured:
        """One request. Where Postgres is away it passes."""
        now = self._clock()
        until = self._refused.get(bucket.counter)
        if until is not None:
            if now < until:
                return Poured(False, 0, until - now)
            del self._refused[bucket.counter]
        if now < self._away_until:
            return PASSED
        future: asyncio.Future[Poured] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(bucket, []).append(future)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name="limits-buckets")
        return await future

    async def close(self) -> None:
        """Answer who waits."""
        if self._runner is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                await self._ask(batch)
            except BaseException as error:
                for futures in batch.values():
                    for future in futures:
                        _answer(future, PASSED)
                if not isinstance(error, Exception):
                    raise
                self._lost(error)

    async def _ask(self, batch: dict[Bucket, list[asyncio.Future[Poured]]]) -> None:
        # Two buckets of one key, while a setting changes: the later one.
        buckets = {bucket.counter: bucket for bucket in batch}
        waiting: dict[CounterKey, list[asyncio.Future[Poured]]] = {}
        for bucket, futures in batch.items():
            waiting.setdefault(bucket.counter, []).extend(futures)
        columns = (
            [key.event for key in buckets],
            [key.key for key in buckets],
            [key.window_seconds for key in buckets],
            [bucket.burst for bucket in buckets.values()],
            [len(waiting[key]) for key in buckets],
            [bucket.step for bucket in buckets.values()],
        )
        async with self._database.acquire(timeout=_PATIENCE) as connection:
            rows = await connection.fetch(counter_sql.BUCKET, *columns, timeout=_PATIENCE)
        metrics.LIMIT_STATEMENTS.inc()
        self._away = False
        for row in rows:
            key = CounterKey(row["event"], row["key"], row["window_seconds"])
            self._pour_out(buckets[key], waiting[key], row)

    def _pour_out(self, bucket: Bucket, futures: list[asyncio.Future[Poured]], row: Any) -> None:
        granted, ahead = row["granted"], max(0.0, row["ahead"])
        room = bucket.burst * bucket.step - ahead
        remaining = max(0, int(room / bucket.step + 1.000001))
        for future in futures[:granted]:
            _answer(future, Poured(True, remaining, ahead))
        refused = futures[granted:]
        if not refused:
            return
        wait = max(0.001, -room)
        if len(self._refused) > _REMEMBERED:
            self._refused.clear()
        self._refused[bucket.counter] = self._clock() + wait
        for future in refused:
            _answer(future, Poured(False, 0, wait))

    def _lost(self, error: Exception) -> None:
        self._away_until = self._clock() + _AWAY_SECONDS
        if not self._away:
            self._away = True
            _log.warning("limits do not hold: the database is away", error=type(error).__name__, detail=str(error))


def _answer(future: asyncio.Future[Poured], poured: Poured) -> None:
    if not future.done():
        future.set_result(poured)
