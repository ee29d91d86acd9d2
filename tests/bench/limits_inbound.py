"""How much slower inbound mail is with limits: the same server, limits on and off in turn (exempt or not).

python tests/bench/limits_inbound.py [rounds]
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
from jobs import run_job
from servers import MailRaven, Side

from mailraven.db import EmbeddedPostgres

COUNTS = {1: 400, 10: 1500, 50: 2500}
# As by default but for the counts: one address brings all mail of the benchmark. Leases are what they are of 1,000.
_TEMPLATE = {
    "limits": {
        "smtp_connections_per_ip": [{"count": 1_000_000, "window_minutes": 60}],
        "smtp_messages_per_ip": [{"count": 1_000_000, "window_minutes": 60}],
    }
}
_ON = {"exempt_networks": [], "max_connections_per_ip": 1000}
_OFF = {"exempt_networks": ["127.0.0.1/32"]}
_PUT = (
    "INSERT INTO setting (name, value) VALUES ('limits', $1)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = setting.version + 1"
)


async def switch(dsn: str, *, on: bool) -> None:
    """For all workers; they hear of it by notification."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_PUT, json.dumps(_ON if on else _OFF))
        await connection.execute("UPDATE domain_template SET spec = $1 WHERE name = '_default'", json.dumps(_TEMPLATE))
        await connection.execute("SELECT pg_notify('mailraven_settings', ''), pg_notify('mailraven_directory', '')")
    finally:
        await connection.close()


async def used(dsn: str) -> int:
    """Messages that were counted since the last time."""
    connection = await asyncpg.connect(dsn)
    try:
        counted = await connection.fetchval(
            "SELECT coalesce(sum(used), 0)::bigint FROM limit_counter WHERE event = 'smtp_messages'"
        )
        await connection.execute("DELETE FROM limit_counter")
        return int(counted)
    finally:
        await connection.close()


def deliver(side: Side, connections: int) -> tuple[float, float]:
    """(messages a second until visible, server CPU in ms a message)."""
    count = COUNTS[connections]
    result = run_job(side, {"kind": "deliver", "connections": connections, "count": count, "size": 4096})
    return result["visible_per_second"], result["cpu_seconds"] * 1000 / count


def measure(server: MailRaven, dsn: str, rounds: int) -> None:
    """A line of JSON for each number of connections."""
    for connections, count in COUNTS.items():
        figures: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        deliver(server.side, connections)
        for round_ in range(rounds):
            for on in (True, False) if round_ % 2 else (False, True):
                asyncio.run(switch(dsn, on=on))
                time.sleep(0.5)
                asyncio.run(used(dsn))
                figures[on].append(deliver(server.side, connections))
                time.sleep(2.0)
                counted = asyncio.run(used(dsn))
                if counted != (count if on else 0):
                    raise RuntimeError(f"{counted} messages were counted with limits {'on' if on else 'off'}")
        on_rate, off_rate = (statistics.median(rate for rate, _ in figures[on]) for on in (True, False))
        on_cpu, off_cpu = (statistics.median(cpu for _, cpu in figures[on]) for on in (True, False))
        line = {
            "connections": connections,
            "rate_on": round(on_rate),
            "rate_off": round(off_rate),
            "rate_change_percent": round((on_rate / off_rate - 1) * 100, 1),
            "cpu_ms_on": round(on_cpu, 3),
            "cpu_ms_off": round(off_cpu, 3),
            "cpu_change_percent": round((on_cpu / off_cpu - 1) * 100, 1),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Starts `mailraven up` and measures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="mr-limits-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        server = MailRaven(directory)
        try:
            measure(server, EmbeddedPostgres(directory / "data" / "postgres").dsn, rounds)
        finally:
            server.close()


if __name__ == "__main__":
    main()
