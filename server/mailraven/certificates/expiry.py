"""Certificates that end soon: a metric, and events two weeks, one week and one day before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

_log = structlog.get_logger(component="certificates")
WARNING_DAYS = (14, 7, 1, 0)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Of a certificate that is served."""

    label: str
    fingerprint: str
    not_after: dt.datetime

    def days_left(self, now: dt.datetime) -> float:
        """Negative when it is over."""
        return (self.not_after - now) / dt.timedelta(days=1)


class ExpiryWatch:
    """Says everything once for as long as the process lives."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], int] = {}

    def announce(self, lifetimes: Iterable[Lifetime], now: dt.datetime) -> None:
        """Logs what has come nearer than the next threshold."""
        said: dict[tuple[str, str], int] = {}
        for lifetime in lifetimes:
            left = lifetime.days_left(now)
            reached = min((days for days in WARNING_DAYS if left <= days), default=None)
            if reached is None:
                continue
            key = (lifetime.label, lifetime.fingerprint)
            before = self._said.get(key)
            # Never back: of two looks at a time, the one with the older clock may come last.
            said[key] = reached if before is None else min(reached, before)
            if said[key] != before:
                _log.warning(
                    "certificate_expiring" if left > 0 else "certificate_expired",
                    certificate=lifetime.label,
                    days_left=round(left, 1),
                    not_after=lifetime.not_after.isoformat(),
                )
        self._said = said  # what is gone may come back
