"""Metrics of several workers as one: each writes into files of its slot, any of them can sum all files.

A worker that is started again takes over the slot of the dead one: counters never fall, files never pile up.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class WorkerSlot:
    """Which worker this process is; a fork sets its own."""

    def __init__(self) -> None:
        self.number = 0  # 0: the supervisor

    def __call__(self) -> int:
        return self.number


def prepare(directory: Path) -> WorkerSlot:
    """Makes prometheus_client share values through files. Has to run before any metric is declared."""
    if "mailraven.telemetry.metrics" in sys.modules:
        raise RuntimeError("metrics were declared before multiprocess.prepare()")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in directory.glob("*.db"):
        stale.unlink()
    os.environ[_VARIABLE] = str(directory)
    from prometheus_client import values

    from mailraven.telemetry.reserved import ReservedDict

    slot = WorkerSlot()
    values.MmapedDict = ReservedDict  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(slot)  # type: ignore[no-untyped-call]
    return slot


def bury(directory: Path, number: int) -> None:
    """Forgets the gauges of a dead worker; its counters stay for its successor."""
    for file in directory.glob(f"gauge_*_{number}.db"):
        file.unlink(missing_ok=True)


def registry() -> "CollectorRegistry":
    """What /metrics shows: the sum over all workers, or this process alone."""
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    if _VARIABLE not in os.environ:
        return REGISTRY
    summed = CollectorRegistry()
    MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
    return summed


def exposition() -> Callable[[], bytes]:
    """A function that renders the metrics in the Prometheus text format."""
    from prometheus_client import generate_latest

    source = registry()
    return lambda: generate_latest(source)
