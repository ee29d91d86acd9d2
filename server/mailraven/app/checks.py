"""The health checks of the components that a process uses."""

import asyncio
import os
import time
from pathlib import Path

from mailraven.adminapi.health import Check, HealthMonitor, Level, Report
from mailraven.app.sockets import Endpoint
from mailraven.blobs import BlobStore
from mailraven.config import Config
from mailraven.db import Database, pending_migrations
from mailraven.net.proxied import proxied_listeners
from mailraven.proxy import LOCAL_V2
from mailraven.queue import depth
from mailraven.telemetry import metrics

_GREETINGS = {"mx": (b"220", b"QUIT\r\n"), "submission": (b"220", b"QUIT\r\n"), "imap": (b"* OK", b"a LOGOUT\r\n")}
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def add_checks(
    monitor: HealthMonitor, config: Config, database: Database, blobs: BlobStore, endpoints: tuple[Endpoint, ...]
) -> None:
    """All that apply to these listeners."""
    health, proxied = config.health, proxied_listeners(config)
    monitor.add("database", _database(database), interval=health.interval, required=True)
    monitor.add("blobs", _blobs(blobs), interval=health.probe_interval)
    monitor.add("queue", _queue(database, health.queue_late), interval=health.probe_interval)
    if config.blobs.kind == "file":
        monitor.add("disk", _disk(config.blobs.directory, health.disk_low, health.disk_full), interval=health.interval)
    for endpoint in endpoints:
        if endpoint.name not in _GREETINGS:
            continue
        door, host = proxied.get(endpoint.name), _WILDCARDS.get(endpoint.host, endpoint.host)
        # From a listener that serves only balancers we would hear nothing, unless we are one of them.
        if door is None or not door.required or host in door.trusted:
            hello = LOCAL_V2 if door is not None and host in door.trusted else b""
            name = "smtp" if endpoint.name == "mx" else endpoint.name
            check = _greeting(endpoint.name, host, endpoint.port, hello)
            monitor.add(name, check, interval=health.probe_interval, on_demand=True)


def _database(database: Database) -> Check:
    async def check() -> Report:
        async with database.acquire() as connection:
            pending = await pending_migrations(connection)
        if pending:
            return Report(Level.UNHEALTHY, f"{len(pending)} migrations are not applied")
        return Report(Level.HEALTHY)

    return check


def _blobs(blobs: BlobStore) -> Check:
    async def check() -> Report:
        await blobs.check()
        return Report(Level.HEALTHY)

    return check


def _queue(database: Database, late: float) -> Check:
    async def check() -> Report:
        async with database.acquire() as connection:
            now = await depth(connection)
        seconds = now.late_seconds
        if seconds > late:
            return Report(Level.DEGRADED, f"the oldest due recipient is {seconds:.0f} s late")
        return Report(Level.HEALTHY)

    return check


def _disk(directory: Path, low: int, full: int) -> Check:
    async def check() -> Report:
        stat = await asyncio.to_thread(os.statvfs, directory)
        free = stat.f_bavail * stat.f_frsize
        text = f"{free // 2**20} MiB free"
        if free < full or (stat.f_files and stat.f_favail == 0):
            return Report(Level.UNHEALTHY, text)
        return Report(Level.DEGRADED if free < low else Level.HEALTHY, text)

    return check


def _greeting(listener: str, host: str, port: int, hello: bytes) -> Check:
    """A listener that accepts but does not speak is not well. `hello` goes first: a balancer's own health check."""
    expected, farewell = _GREETINGS[listener]

    async def check() -> Report:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(hello)
            line = await reader.readline()
            if not line.startswith(expected):
                text = line[:80].decode("ascii", "replace").strip()
                return Report(Level.DEGRADED, f"greets with {text!r}")
            writer.write(farewell)
            await reader.read()
            return Report(Level.HEALTHY)
        finally:
            writer.close()

    return check


async def watch_process() -> None:
    """Measures this process once a second: its memory, and how late its loop is. Until cancelled."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(1.0)
        metrics.WORKER_LOOP_LAG_SECONDS.set(max(0.0, time.monotonic() - before - 1.0))
        metrics.WORKER_RESIDENT_BYTES.set(_resident_bytes())


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:  # not Linux
        return 0
