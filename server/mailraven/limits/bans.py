"""Bans: the table, and what a process knows of it without asking. Past rows are the memory of repeaters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import structlog

from mailraven.db import Connection, Database
from mailraven.limits.clients import Network, NetworkMap, parse_network
from mailraven.limits.model import Ban
from mailraven.telemetry import metrics

FORGOTTEN_DAYS = 90

_log = structlog.get_logger(component="limits")

_ACTIVE = """
SELECT *, extract(epoch FROM until - now())::float8 AS seconds_left FROM ban WHERE until IS NULL OR until > now()
"""
_TURNS = "SELECT used FROM limit_counter WHERE event = 'bans' AND key = '' AND window_seconds = 0"
_LIST = """
SELECT * FROM ban WHERE ($1::cidr IS NULL OR network > $1) AND ($2 OR until IS NULL OR until > now())
 ORDER BY network LIMIT $3
"""
# A ban that holds already is left as it is: two processes that saw the same client ban it once.
_OFFENCE = """
INSERT INTO ban AS b (network, reason, created_by, offences, until)
VALUES ($1::cidr, $2, '', 1, now() + make_interval(secs => least($3::float8, $5::float8)))
ON CONFLICT (network) DO UPDATE SET
    reason = excluded.reason, created_by = '', offences = b.offences + 1, created_at = now(),
    until = now() + make_interval(secs => least($3 * power($4::float8, least(b.offences, 60)), $5))
WHERE b.until <= now()
RETURNING *
"""
_SET = """
INSERT INTO ban AS b (network, reason, created_by, until) VALUES ($1::cidr, $2, $3, $4)
ON CONFLICT (network) DO UPDATE SET
    reason = excluded.reason, created_by = excluded.created_by, until = excluded.until, created_at = now(),
    offences = b.offences + (b.until <= now())::integer
RETURNING *
"""


async def list_bans(connection: Connection, *, after: str | None, past: bool, limit: int) -> list[Ban]:
    """By network; `past`: also those that are over."""
    rows = await connection.fetch(_LIST, None if after is None else parse_network(after), past, limit)
    return [_ban(row) for row in rows]


async def get_ban(connection: Connection, network: Network) -> Ban | None:
    """Of exactly this network."""
    row = await connection.fetchrow("SELECT * FROM ban WHERE network = $1::cidr", network)
    return None if row is None else _ban(row)


async def set_ban(connection: Connection, network: Network, reason: str, by: str, until: datetime | None) -> Ban:
    """Ban, or change a ban."""
    return _ban(await connection.fetchrow(_SET, network, reason, by, until))


async def lift_ban(connection: Connection, network: Network) -> bool:
    """The offences are forgotten with it. False: it was not banned."""
    status = await connection.execute("DELETE FROM ban WHERE network = $1::cidr", network)
    return bool(status == "DELETE 1")


async def offend(
    connection: Connection, network: Network, reason: str, *, seconds: float, growth: float, most: float
) -> Ban | None:
    """The server's own ban, longer each time. None: it is banned already."""
    row = await connection.fetchrow(_OFFENCE, network, reason, float(seconds), float(growth), float(most))
    return None if row is None else _ban(row)


async def forget_offences(connection: Connection) -> None:
    """Rows long past."""
    await connection.execute("DELETE FROM ban WHERE until < now() - make_interval(days => $1)", FORGOTTEN_DAYS)


class BanList:
    """The bans that hold, in memory; `refresh` brings it up to date, `changed` are told of new ones."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._bans: NetworkMap[tuple[Ban, float]] = NetworkMap()
        self._turns: int | None = -1
        self._callbacks: list[Callable[[], None]] = []

    def find(self, ip: str) -> Ban | None:
        """The ban of an address."""
        if not self._bans.count:
            return None
        now = self._clock()
        return next((ban for ban, ends in self._bans.matches(ip) if now < ends), None)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Called after bans have changed, to end the connections of who is banned now."""
        self._callbacks.append(changed)

    async def refresh(self, *, surely: bool = False) -> None:
        """Read the bans if any changed. Raises DatabaseUnavailable: what is known goes on holding."""
        async with self._database.acquire(timeout=2.0) as connection:
            turns = await connection.fetchval(_TURNS)
            if turns == self._turns and not surely:
                return
            rows: Sequence[Any] = await connection.fetch(_ACTIVE)
        now = self._clock()
        self._turns = turns
        self._bans = NetworkMap(
            (
                parse_network(str(row["network"])),
                (_ban(row), float("inf") if row["seconds_left"] is None else now + row["seconds_left"]),
            )
            for row in rows
        )
        metrics.BANS_ACTIVE.set(len(rows))
        for callback in self._callbacks:
            callback()


def _ban(row: Any) -> Ban:
    network: IPv4Network | IPv6Network = row["network"]
    return Ban(str(network), row["reason"], row["created_by"], row["offences"], row["created_at"], row["until"])
