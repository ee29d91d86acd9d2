"""Connections at a time from one client, in one process and protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from mailraven.limits.clients import client_key


class Occupancy:
    """Counts connections in and out; the most that one client may have is asked each time."""

    def __init__(self, most: Callable[[], int], exempt: Callable[[str], bool]) -> None:
        self._most = most
        self._exempt = exempt
        self._open: Counter[str] = Counter()

    def enter(self, ip: str) -> bool:
        """False: the client has too many already. Pair each True with leave()."""
        key = client_key(ip)
        if self._open[key] >= self._most() and not self._exempt(ip):
            return False
        self._open[key] += 1
        return True

    def leave(self, ip: str) -> None:
        """A connection that was let in has ended."""
        key = client_key(ip)
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]
