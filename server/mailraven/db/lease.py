"""Leases: what must happen once at a time. A random token for each process start, a fencing epoch for each taking."""

from __future__ import annotations

from typing import Any

_ACQUIRE = """
INSERT INTO lease AS l (name, token, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET
    epoch = CASE WHEN l.token = $2 AND l.leased_until > now() THEN l.epoch ELSE l.epoch + 1 END,
    token = excluded.token,
    leased_until = excluded.leased_until
WHERE l.token = $2 OR l.leased_until <= now()
RETURNING epoch
"""


async def acquire_lease(connection: Any, name: str, token: str, seconds: float) -> int | None:
    """Take or renew the lease `name` for `seconds`.

    Returns the epoch, which a write under the lease checks (it rises whenever the lease changes hands or lapsed),
    or None while another token holds it.
    """
    epoch: int | None = await connection.fetchval(_ACQUIRE, name, token, float(seconds))
    return epoch


async def release_lease(connection: Any, name: str, token: str) -> None:
    """Give the lease back early."""
    await connection.execute("UPDATE lease SET leased_until = now() WHERE name = $1 AND token = $2", name, token)
