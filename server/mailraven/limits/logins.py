"""Addresses from which an account signed in lately: who guesses at its password elsewhere does not lock it out there.

In memory, and for all processes as rows of limit_counter (event known_login), to the day, for a month.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from mailraven.db import Database, DatabaseUnavailable
from mailraven.limits.clients import client_key

_EVENT = "known_login"
_MONTH = 30 * 86_400
_DAY = 86_400.0
_ENTRIES = 20_000

_log = structlog.get_logger(component="limits")

_REMEMBER = """
INSERT INTO limit_counter (event, key, window_seconds, used) VALUES ($1, $2, $3, 1)
ON CONFLICT (event, key, window_seconds) DO UPDATE SET started_at = now()
"""
_KNOWN = """
SELECT EXISTS (SELECT FROM limit_counter WHERE event = $1 AND key = $2 AND window_seconds = $3
                AND started_at > now() - make_interval(secs => window_seconds))
"""


class KnownLogins:
    """One for a process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, float] = OrderedDict()

    def remembers(self, address: str, ip: str) -> bool:
        """Whether it is in this process' memory."""
        return self._known.get(_key(address, ip), 0.0) > self._clock()

    async def find(self, address: str, ip: str) -> bool:
        """Whether any process has seen it."""
        if self.remembers(address, ip):
            return True
        try:
            async with self._database.acquire(timeout=2.0) as connection:
                found: bool = await connection.fetchval(_KNOWN, _EVENT, _key(address, ip), _MONTH, timeout=2.0)
        except DatabaseUnavailable:
            return False
        if found:
            self._note(_key(address, ip))
        return found

    async def add(self, address: str, ip: str) -> None:
        """A login with the right password."""
        if self.remembers(address, ip):
            return
        self._note(_key(address, ip))
        try:
            async with self._database.acquire(timeout=2.0) as connection:
                await connection.execute(_REMEMBER, _EVENT, _key(address, ip), _MONTH, timeout=2.0)
        except DatabaseUnavailable as error:
            _log.info("login not remembered", error=type(error).__name__)

    def _note(self, key: str) -> None:
        self._known[key] = self._clock() + _DAY
        self._known.move_to_end(key)
        if len(self._known) > _ENTRIES:
            self._known.popitem(last=False)


def _key(address: str, ip: str) -> str:
    return f"{address} {client_key(ip)}"
