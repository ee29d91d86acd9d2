"""A component that hangs makes a process unready after `failures` rounds of one interval each."""

import asyncio
import time

from mailraven.adminapi.health import HealthMonitor, Report
from mailraven.config import HealthConfig


async def _hangs() -> Report:
    await asyncio.Event().wait()
    raise AssertionError("not reached")


async def test_hanging_component_makes_unready_in_time() -> None:
    config = HealthConfig(interval=0.5, timeout=0.5, failures=3)
    monitor = HealthMonitor(config)
    monitor.add("database", _hangs, interval=0.5, required=True)
    monitor.serving()
    began = time.monotonic()
    running = asyncio.create_task(monitor.run())
    try:
        async with asyncio.timeout(5):
            while monitor.readiness()[0]:
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
    assert time.monotonic() - began < 2.2  # three rounds are 1.5 s; with the pause on top it was 2.5 s
