"""What limits cost and how exact they are: four processes on one database charge one account, and many addresses.

python tests/bench/limits.py
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from mailraven.db import Database, EmbeddedPostgres, migrate
from mailraven.limits.counters import Counters
from mailraven.limits.model import Cost, CounterKey

PROCESSES = 4
HOUR = 3600


@dataclass(frozen=True)
class Scenario:
    """Every process charges `charges` times, `at_once` at a time, in turn on `keys` keys that all of them share."""

    name: str
    keys: int
    limit: int
    charges: int
    at_once: int
    linger: float = 0.0
    """Seconds in which each process goes on asking now and then, to see what was refused too early."""


SCENARIOS = (
    Scenario("one account, 100 an hour", 1, 100, 200, 10, linger=4.0),
    Scenario("one account, 10,000 an hour", 1, 10_000, 4_000, 10, linger=4.0),
    Scenario("1,000 addresses, 50 an hour each", 1_000, 50, 15_000, 50, linger=4.0),
    Scenario("20,000 addresses, one connection each", 20_000, 50, 5_000, 50),
    Scenario("one busy address, far below its limit", 1, 1_000_000, 20_000, 50),
)


@dataclass
class Measured:
    """Of one process."""

    allowed: dict[int, int] = field(default_factory=dict)
    last_allowed: dict[int, float] = field(default_factory=dict)
    refused: list[tuple[int, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0
    statements: int = 0
    charges: int = 0


class Client:
    """The charges of one process."""

    def __init__(self, scenario: Scenario, number: int, counters: Counters) -> None:
        self.scenario, self.counters = scenario, counters
        # One address each: every process has its own; else all share them.
        self.first = number * scenario.charges if scenario.keys >= scenario.charges * PROCESSES else 0
        self.measured = Measured()
        self.turn = 0

    async def charge(self) -> None:
        key = (self.first + self.turn) % self.scenario.keys
        self.turn += 1
        began = time.perf_counter()
        outcome = await self.counters.charge([Cost(CounterKey("bench", f"key:{key}", HOUR), self.scenario.limit)])
        now = time.perf_counter()
        self.measured.seconds.append(now - began)
        if outcome.allowed:
            self.measured.allowed[key] = self.measured.allowed.get(key, 0) + 1
            self.measured.last_allowed[key] = now
        else:
            self.measured.refused.append((key, now))

    async def run(self) -> Measured:
        async def one_after_the_other(times: int) -> None:
            for _ in range(times):
                await self.charge()

        scenario = self.scenario
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(
            *(one_after_the_other(scenario.charges // scenario.at_once) for _ in range(scenario.at_once))
        )
        self.measured.wall, self.measured.cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.measured.statements = self.counters.statements
        self.measured.charges = len(self.measured.seconds)
        until = time.perf_counter() + scenario.linger
        while time.perf_counter() < until:
            await asyncio.gather(*(self.charge() for _ in range(min(scenario.keys, 200))))
            await asyncio.sleep(0.05)
        return self.measured


def work(dsn: str, scenario: Scenario, number: int, barrier: object, results: object) -> None:
    """A process."""

    async def run() -> None:
        database = await Database.connect(dsn)
        counters = Counters(database)
        client = Client(scenario, number, counters)
        barrier.wait()  # type: ignore[attr-defined]
        results.put(asdict(await client.run()))  # type: ignore[attr-defined]
        await counters.close()
        await database.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def measure(dsn: str, scenario: Scenario) -> dict[str, object]:
    """All processes; the figures together."""
    asyncio.run(_empty(dsn))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=work, args=(dsn, scenario, number, barrier, results)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    found = [Measured(**results.get(timeout=120)) for _ in processes]
    for process in processes:
        process.join()
    return figures(scenario, found)


def figures(scenario: Scenario, found: list[Measured]) -> dict[str, object]:
    """Overshoot: events over the limit of a key. Early: a refusal although a later charge still went through."""
    allowed: dict[int, int] = {}
    last: dict[int, float] = {}
    for one in found:
        for key, number in one.allowed.items():
            allowed[key] = allowed.get(key, 0) + number
        for key, at in one.last_allowed.items():
            last[key] = max(last.get(key, 0.0), at)
    early = [last[key] - at for one in found for key, at in one.refused if at < last.get(key, 0.0)]
    seconds = sorted(second for one in found for second in one.seconds[: one.charges])
    charges = sum(one.charges for one in found)
    return {
        "scenario": scenario.name,
        "charges": charges,
        "overshoot": max(0, max(allowed.values()) - scenario.limit),
        "keys_used_up": sum(number >= scenario.limit for number in allowed.values()),
        "refused_early": len(early),
        "refused_early_for_seconds": round(max(early, default=0.0), 2),
        "cpu_us": round(sum(one.cpu for one in found) / charges * 1e6, 1),
        "round_trips": round(sum(one.statements for one in found) / charges, 4),
        "p50_ms": round(seconds[len(seconds) // 2] * 1e3, 3),
        "p99_ms": round(seconds[len(seconds) * 99 // 100] * 1e3, 2),
        "charges_per_second": round(sum(one.charges / one.wall for one in found)),
    }


async def _empty(dsn: str) -> None:
    database = await Database.connect(dsn)
    async with database.acquire() as connection:
        await connection.execute("TRUNCATE limit_counter")
    await database.close()


def main() -> None:
    """Runs all scenarios, a line of JSON each."""
    with tempfile.TemporaryDirectory(prefix="mr-limits-") as directory:
        Path(directory).chmod(0o711)
        server = EmbeddedPostgres(Path(directory) / "pg")
        server.start()
        try:
            asyncio.run(migrate(server.dsn))
            for scenario in SCENARIOS:
                sys.stdout.write(json.dumps(measure(server.dsn, scenario)) + "\n")
                sys.stdout.flush()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
