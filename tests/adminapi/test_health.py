"""Checks, their levels, and a readiness that does not flap."""

import asyncio

import pytest

from mailraven.adminapi.health import HealthMonitor, Level, Report
from mailraven.config import HealthConfig


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Component:
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.level: Level | Exception = Level.HEALTHY
        self.checks = 0

    async def __call__(self) -> Report:
        self.checks += 1
        if isinstance(self.level, Exception):
            raise self.level
        return Report(self.level)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> HealthMonitor:
    return HealthMonitor(HealthConfig(failures=3, timeout=0.05), clock)


async def test_phases(monitor: HealthMonitor) -> None:
    assert monitor.readiness() == (False, "starting")
    monitor.waiting("database db:5432 does not answer: Connection refused")
    assert monitor.readiness() == (False, "starting: database db:5432 does not answer: Connection refused")
    monitor.serving()
    assert monitor.readiness() == (True, "serving")
    monitor.draining()
    assert monitor.readiness() == (False, "draining")


async def test_readiness_ends_after_three_failures_and_returns_with_one_success(
    monitor: HealthMonitor, clock: Clock
) -> None:
    database = Component()
    monitor.add("database", database, interval=5, required=True)
    monitor.serving()
    answers = []
    for level in (Level.HEALTHY, OSError("away"), OSError("away"), OSError("away"), Level.HEALTHY):
        database.level = level
        await monitor.check_due()
        answers.append(monitor.readiness()[0])
        clock.now += 5
    assert answers == [True, True, True, False, True]


async def test_what_is_not_required_never_ends_readiness(monitor: HealthMonitor, clock: Clock) -> None:
    blobs = Component()
    blobs.level = OSError("away")
    monitor.add("blobs", blobs, interval=5)
    monitor.serving()
    for _ in range(5):
        await monitor.check_due()
        clock.now += 5
    assert monitor.readiness()[0]
    assert (await monitor.health())["components"] == {"blobs": {"status": "unhealthy", "detail": "away"}}
    assert (await monitor.health())["status"] == "unhealthy"


async def test_the_worst_component_decides(monitor: HealthMonitor) -> None:
    for name, level in (("a", Level.HEALTHY), ("b", Level.DEGRADED)):
        component = Component()
        component.level = level
        monitor.add(name, component, interval=5)
    await monitor.check_due()
    assert (await monitor.health())["status"] == "degraded"


async def test_a_check_runs_when_its_time_has_come(monitor: HealthMonitor, clock: Clock) -> None:
    often, seldom = Component(), Component()
    monitor.add("often", often, interval=5)
    monitor.add("seldom", seldom, interval=30)
    for _ in range(7):
        await monitor.check_due()
        clock.now += 5
    assert (often.checks, seldom.checks) == (7, 2)


async def test_a_check_that_hangs_is_unhealthy_and_delays_nobody(monitor: HealthMonitor) -> None:
    async def hang() -> Report:
        await asyncio.Event().wait()
        raise AssertionError

    other = Component()
    monitor.add("stuck", hang, interval=5)
    monitor.add("other", other, interval=5)
    await asyncio.wait_for(monitor.check_due(), 5)
    assert (await monitor.health())["components"]["stuck"] == {"status": "unhealthy", "detail": "no answer in 0.05 s"}
    assert other.checks == 1


async def test_a_check_on_demand_runs_when_health_is_asked_once_an_interval(
    monitor: HealthMonitor, clock: Clock
) -> None:
    listener = Component()
    monitor.add("imap", listener, interval=30, on_demand=True)
    await monitor.check_due()
    assert (await monitor.health())["components"] == {}  # nothing listens yet
    monitor.serving()
    for _ in range(3):
        assert (await monitor.health())["components"] == {"imap": {"status": "healthy"}}
    assert listener.checks == 1
    clock.now += 30
    await monitor.check_due()
    assert listener.checks == 1
    await monitor.health()
    assert listener.checks == 2
