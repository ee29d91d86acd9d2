"""NOTIFY outside of every delivery transaction: it takes a database-wide lock at commit (9,000 -> 800 commits/s)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import structlog

_log = structlog.get_logger(component="db")
_PAYLOAD_LIMIT = 7900  # NOTIFY refuses 8,000 octets
_PAUSE_SECONDS = 0.005  # between two of a process: the first goes at once, under load they gather


class Notifier:
    """Coalesces notifications of one process: while one NOTIFY runs, the next ones gather.

    A notification that is lost (process killed, database away) only delays: receivers poll slowly behind it.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._waiting: dict[str, dict[str, None]] = {}
        self._task: asyncio.Task[None] | None = None

    def notify(self, channel: str, payload: str = "") -> None:
        """Tell all processes, soon. Payloads of one channel are joined by commas, each at most once."""
        self._waiting.setdefault(channel, {})[payload] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush(), name="db-notifier")

    async def close(self) -> None:
        """Send what waits, for a second at most."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, 1)

    async def _flush(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            pairs = [(channel, text) for channel, payloads in waiting.items() for text in _join(payloads)]
            try:
                async with self._pool.acquire(timeout=5) as connection:
                    await connection.execute(
                        "SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) AS x(c, p)",
                        [channel for channel, _ in pairs],
                        [text for _, text in pairs],
                        timeout=5,
                    )
            except Exception as error:  # noqa: BLE001 - the next ones must still go out
                _log.warning("notification lost", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)


def _join(payloads: dict[str, None]) -> list[str]:
    joined: list[str] = []
    for payload in payloads:
        if joined and len(joined[-1]) + 1 + len(payload) <= _PAYLOAD_LIMIT:
            joined[-1] += "," + payload
        else:
            joined.append(payload)
    return joined
