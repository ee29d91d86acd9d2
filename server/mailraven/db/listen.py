"""LISTEN on one dedicated connection per process, kept alive; each reconnect says that something may be missed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from mailraven.db.reach import address_of, reason_of

Callback = Callable[[str | None], None]

_log = structlog.get_logger(component="db")
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
_PROBE_SECONDS = 15.0


class Listener:
    """Delivers notifications to callbacks in the event loop.

    A callback gets the payload, or None when notifications may have been lost (first connect and each reconnect):
    it must then drop or reload what it derives from them.
    """

    def __init__(self, dsn: str, server_settings: dict[str, str]) -> None:
        self._dsn = dsn
        self._settings = server_settings
        self._callbacks: dict[str, list[Callback]] = {}
        self._task: asyncio.Task[None] | None = None
        self._connection: Any = None
        self._connected = asyncio.Event()

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Call `callback` for each notification on `channel`. Subscribe before start()."""
        if self._task is not None and channel not in self._callbacks:
            raise RuntimeError(f"subscribe to {channel} before the listener starts")
        self._callbacks.setdefault(channel, []).append(callback)

    def unsubscribe(self, channel: str, callback: Callback) -> None:
        """Forget a callback."""
        with contextlib.suppress(KeyError, ValueError):
            self._callbacks[channel].remove(callback)

    async def start(self) -> None:
        """Connect in the background; returns when LISTEN is in force or after 10 s without success."""
        if self._task is None and self._callbacks:
            self._task = asyncio.create_task(self._run(), name="db-listener")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._connected.wait(), 10)

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen_until_broken()
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, the process must not go deaf
                where, pause = address_of(self._dsn), _pause(failures)
                _log.warning("not listening", database=where, reason=reason_of(error), retry_seconds=pause)
            self._connected.clear()
            await asyncio.sleep(_pause(failures))
            failures += 1

    async def _listen_until_broken(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, server_settings=self._settings)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            for channel in self._callbacks:
                await connection.add_listener(channel, self._received)
            self._connected.set()
            for callbacks in self._callbacks.values():
                for callback in list(callbacks):
                    _call(callback, None)
            while not closed.is_set():
                # A connection that a firewall forgot says nothing: probe it.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), _PROBE_SECONDS)
                    return
                await connection.execute("SELECT 1", timeout=10)
        finally:
            connection.terminate()

    def _received(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        for callback in list(self._callbacks.get(channel, ())):
            _call(callback, str(payload))


def _pause(failures: int) -> float:
    return _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]


def _call(callback: Callback, payload: str | None) -> None:
    """A callback that fails hurts no other one: a channel is open to whoever may connect to the database."""
    try:
        callback(payload)
    except Exception:  # noqa: BLE001
        _log.exception("a notification could not be used", payload=payload)
