"""Counters that several processes share exactly and cheaply: each takes leases of events and spends them from memory.

While one statement runs the next gathers. What of a lease is not spent goes back after IDLE_SECONDS. The clock is
Postgres': a process only measures how long ago it asked. Where Postgres is away, events pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import structlog

from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.limits import counter_sql
from mailraven.limits.model import Charged, Cost, CounterKey
from mailraven.telemetry import metrics

IDLE_SECONDS = 1.5  # how long a lease may lie about; with the sweep and a statement it is under 2 s
REFUSED_SECONDS = 0.3  # how long a refusal is repeated without asking again
_SWEEP_SECONDS = 0.2
_PATIENCE = 2.0  # seconds that an event waits for Postgres before it passes
_AWAY_SECONDS = 1.0  # then nobody waits for so long
_BATCH = 500  # charges in a statement

_log = structlog.get_logger(component="limits")


class Outcome(NamedTuple):
    """`cost` is the limit that refuses, or the one nearest to its end; None: nothing was counted."""

    allowed: bool
    cost: Cost | None = None
    remaining: int = 0
    reset_seconds: float = 0.0
    charged: tuple[Charged, ...] = ()


PASSED = Outcome(True)


@dataclass(slots=True)
class _Lease:
    """What this process holds and knows of a counter."""

    started_at: datetime
    ends: float
    taken_at: float
    events: int = 0  # to be spent
    low: int = 0  # with fewer events the next lease is asked for, before anybody waits for it
    limit: int = 0
    left: int = 0  # of it for everybody, when Postgres said so last
    refused_until: float = 0.0


@dataclass(slots=True)
class _Waiting:
    costs: Sequence[Cost]
    spend: bool
    future: asyncio.Future[Outcome]


class Counters:
    """One for a process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._leases: dict[CounterKey, _Lease] = {}
        self._returned: defaultdict[tuple[CounterKey, datetime], int] = defaultdict(int)
        self._waiting: list[_Waiting] = []
        self._renewals: dict[CounterKey, int] = {}
        self._runner: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._away = False
        self.statements = 0
        """Round trips so far."""

    async def charge(self, costs: Sequence[Cost], *, spend: bool = True) -> Outcome:
        """All of them or none. Without `spend` the answer is whether they could be charged."""
        if not costs:
            return PASSED
        now = self._clock()
        outcome = self._try(costs, spend, now, certain=False)
        if outcome is not None:
            return outcome
        if now < self._away_until:
            return PASSED
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(costs, spend, future))
        self._start()
        return await future

    def refund(self, charged: Sequence[Charged]) -> None:
        """The events did not happen."""
        for one in charged:
            if one.started_at is None:
                continue
            lease = self._leases.get(one.counter)
            if lease is not None and lease.started_at == one.started_at:
                lease.events += one.events
                lease.refused_until = 0.0
            else:
                self._returned[one.counter, one.started_at] += one.events
                self._sweep_soon()

    async def give_back(self, idle: float = IDLE_SECONDS) -> None:
        """Leases that were taken so long ago. Never twice: if that fails, the events count as used."""
        now = self._clock()
        back, self._returned = self._returned, defaultdict(int)
        for counter, lease in list(self._leases.items()):
            if lease.ends <= now:
                del self._leases[counter]
            elif lease.events and now - lease.taken_at >= idle:
                back[counter, lease.started_at] += lease.events
                del self._leases[counter]
            elif not lease.events and lease.refused_until <= now and now - lease.taken_at >= idle:
                del self._leases[counter]
        if not back or now < self._away_until:
            return
        keys = [counter for counter, _ in back]
        columns = (
            [key.event for key in keys],
            [key.key for key in keys],
            [key.window_seconds for key in keys],
            list(back.values()),
            [started_at for _, started_at in back],
        )
        try:
            async with self._database.acquire(timeout=_PATIENCE) as connection:
                await connection.execute(counter_sql.GIVE_BACK, *columns, timeout=_PATIENCE)
            self.statements += 1
        except DatabaseUnavailable as error:
            self._lost(error)

    async def close(self) -> None:
        """Answer who waits, give back everything."""
        if self._runner is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeper
        await self.give_back(0.0)

    # -- from memory -------------------------------------------------------------------------------------------

    def _try(self, costs: Sequence[Cost], spend: bool, now: float, *, certain: bool) -> Outcome | None:
        """None: Postgres has to be asked. `certain`: it just was."""
        short: list[Cost] = []
        refusing: list[Cost] = []
        for cost in costs:
            lease = self._leases.get(cost.counter)
            if lease is not None and lease.limit > cost.limit:  # it was changed since
                self._drop(cost.counter, lease)
                lease = None
            if lease is None or lease.ends <= now:
                short.append(cost)
            elif lease.events < cost.events:
                if certain or (lease.refused_until > now and cost.limit <= lease.limit):
                    refusing.append(cost)
                short.append(cost)
        if refusing:
            return self._refuse(refusing, now)
        if short:
            return None
        charged = []
        for cost in costs:
            lease = self._leases[cost.counter]
            if spend:
                lease.events -= cost.events
                charged.append(Charged(cost.counter, cost.events, lease.started_at))
                if lease.events < lease.low:
                    self._renew(cost.counter, lease)
        nearest = min(costs, key=lambda cost: self._remaining(cost) / cost.limit)
        lease = self._leases[nearest.counter]
        return Outcome(True, nearest, self._remaining(nearest), lease.ends - now, tuple(charged))

    def _drop(self, counter: CounterKey, lease: _Lease) -> None:
        self._returned[counter, lease.started_at] += lease.events
        del self._leases[counter]
        self._sweep_soon()

    def _refuse(self, refusing: Sequence[Cost], now: float) -> Outcome:
        """By the limit that lasts longest."""
        cost = max(refusing, key=lambda one: self._leases[one.counter].ends)
        return Outcome(False, cost, self._remaining(cost), max(0.0, self._leases[cost.counter].ends - now))

    def _remaining(self, cost: Cost) -> int:
        lease = self._leases[cost.counter]
        return max(0, lease.left) + lease.events

    # -- from Postgres -----------------------------------------------------------------------------------------

    def _renew(self, counter: CounterKey, lease: _Lease) -> None:
        lease.low = 0
        if self._clock() >= self._away_until:
            self._renewals[counter] = lease.limit
            self._start()

    def _start(self) -> None:
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name="limits")

    async def _run(self) -> None:
        while self._waiting or self._renewals:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                await self._lease(batch)
            except BaseException as error:
                for one in batch:
                    if not one.future.done():
                        one.future.set_result(PASSED)
                if not isinstance(error, Exception):
                    raise
                self._lost(error)
                continue
            now = self._clock()
            for one in batch:
                if one.future.done():  # who asked has gone
                    continue
                outcome = self._try(one.costs, one.spend, now, certain=True)
                if outcome is None:  # a window ended while its lease was on the way
                    self._waiting.append(one)
                else:
                    one.future.set_result(outcome)
            self._sweep_soon()

    async def _lease(self, batch: Sequence[_Waiting]) -> None:
        wanted = {counter: [limit, 0] for counter, limit in self._renewals.items()}
        self._renewals.clear()
        for one in batch:
            for cost in one.costs:
                asked = wanted.setdefault(cost.counter, [cost.limit, 0])
                asked[0] = cost.limit
                asked[1] += cost.events if one.spend else 0
        keys = list(wanted)
        columns = (
            [key.event for key in keys],
            [key.key for key in keys],
            [key.window_seconds for key in keys],
            [asked[0] for asked in wanted.values()],
            [max(1, asked[1]) for asked in wanted.values()],
        )
        sent = self._clock()
        rows = await self._fetch(counter_sql.TAKE, columns)
        for row in rows:
            self._take(row, sent, wanted)

    async def _fetch(self, sql: str, columns: Sequence[list[Any]]) -> list[Any]:
        async with self._database.acquire(timeout=_PATIENCE) as connection:
            return await self._fetch_on(connection, sql, columns)

    async def _fetch_on(self, connection: Connection, sql: str, columns: Sequence[list[Any]]) -> list[Any]:
        rows: list[Any] = await connection.fetch(sql, *columns, timeout=_PATIENCE)
        self.statements += 1
        metrics.LIMIT_STATEMENTS.inc()
        if self._away:
            self._away = False
            _log.info("limits hold again")
        return rows

    def _take(self, row: Any, sent: float, wanted: dict[CounterKey, list[int]]) -> None:
        counter = CounterKey(row["event"], row["key"], row["window_seconds"])
        lease = self._leases.get(counter)
        # From when the question was sent: never longer than the window.
        ends = sent + row["seconds_left"]
        if lease is None or lease.started_at != row["started_at"]:
            lease = self._leases[counter] = _Lease(row["started_at"], ends, sent)
        else:
            lease.ends, lease.taken_at = ends, sent
        lease.events += row["granted"]
        lease.low = row["granted"] // 4
        lease.limit = wanted[counter][0]
        lease.left = lease.limit - row["used"]
        lease.refused_until = sent + REFUSED_SECONDS if lease.left <= 0 else 0.0

    def _lost(self, error: Exception) -> None:
        self._away_until = self._clock() + _AWAY_SECONDS
        if not self._away:
            self._away = True
            _log.warning("limits do not hold: the database is away", error=type(error).__name__, detail=str(error))

    # -- giving back -------------------------------------------------------------------------------------------

    def _sweep_soon(self) -> None:
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep(), name="limits-sweep")

    async def _sweep(self) -> None:
        while self._leases or self._returned:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await asyncio.shield(self.give_back())
            except Exception as error:  # noqa: BLE001 - what was not given back counts as used, no more
                self._lost(error)
