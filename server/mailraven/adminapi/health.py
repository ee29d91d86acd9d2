"""How the components of this process are: checked in the background, answered from memory.

A readiness answer changes only after several failures in a row, so that a failover evicts nobody.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from mailraven.config import HealthConfig
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="health")


class Level(StrEnum):
    """How a component is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_GAUGE = {Level.HEALTHY: 1.0, Level.DEGRADED: 0.5, Level.UNHEALTHY: 0.0}
_ORDER = (Level.HEALTHY, Level.DEGRADED, Level.UNHEALTHY)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    level: Level
    detail: str = ""


Check = Callable[[], Awaitable[Report]]


@dataclass(slots=True)
class _Component:
    check: Check
    interval: float
    required: bool
    on_demand: bool
    report: Report | None = None
    failures: int = 0
    due: float = field(default=0.0)


class HealthMonitor:
    """Runs the checks; holds whether this process serves."""

    def __init__(self, config: HealthConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._components: dict[str, _Component] = {}
        self._phase = "starting"
        self._waiting = ""

    def add(self, name: str, check: Check, *, interval: float, required: bool = False, on_demand: bool = False) -> None:
        """`required`: while it fails this process should get no new work. `on_demand`: checked when /health is
        asked, at most once an interval.
        """
        self._components[name] = _Component(check, interval, required, on_demand)

    def waiting(self, reason: str) -> None:
        """Why it does not serve yet."""
        self._waiting = reason

    def serving(self) -> None:
        """All listeners accept."""
        self._phase = "serving"

    def draining(self) -> None:
        """No new work any more."""
        self._phase = "draining"

    def readiness(self) -> tuple[bool, str]:
        """Whether to send work here, and why not."""
        if self._phase != "serving":
            waits = self._phase == "starting" and self._waiting
            return False, f"{self._phase}: {self._waiting}" if waits else self._phase
        for name, component in self._components.items():
            if component.required and component.failures >= self._config.failures:
                return False, f"{name}: {component.report.detail if component.report else 'not checked'}"
        return True, "serving"

    async def health(self) -> dict[str, Any]:
        """The JSON of /health."""
        await self.check_due(on_demand=self._phase == "serving")
        reports = {name: item.report for name, item in self._components.items() if item.report is not None}
        worst = max((report.level for report in reports.values()), key=_ORDER.index, default=Level.HEALTHY)
        return {
            "status": str(worst),
            "phase": self._phase,
            "components": {
                name: {"status": str(report.level)} | ({"detail": report.detail} if report.detail else {})
                for name, report in reports.items()
            },
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = self._clock()
            await self.check_due()
            # From start to start: checks that time out must not stretch the way to "not ready".
            await asyncio.sleep(max(0.0, began + self._config.interval - self._clock()))

    async def check_due(self, *, on_demand: bool = False) -> None:
        """Runs the checks whose time has come, side by side."""
        now = self._clock()
        due = [name for name, item in self._components.items() if item.due <= now and item.on_demand <= on_demand]
        await asyncio.gather(*(self._check(name, now) for name in due))

    async def _check(self, name: str, now: float) -> None:
        component = self._components[name]
        component.due = now + component.interval
        try:
            async with asyncio.timeout(self._config.timeout):
                report = await component.check()
        except TimeoutError:
            report = Report(Level.UNHEALTHY, f"no answer in {self._config.timeout:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a component raises, it is not well
            report = Report(Level.UNHEALTHY, str(error) or type(error).__name__)
        before, component.report = component.report, report
        component.failures = component.failures + 1 if report.level is Level.UNHEALTHY else 0
        metrics.COMPONENT_HEALTHY.labels(name).set(_GAUGE[report.level])
        if (before.level if before else Level.HEALTHY) is not report.level:
            write = _log.info if report.level is Level.HEALTHY else _log.warning
            write("component changed", name=name, status=str(report.level), detail=report.detail)


async def close_quietly(task: asyncio.Task[None]) -> None:
    """Ends a background task."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
