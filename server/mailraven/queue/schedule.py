"""When a recipient is tried again, and when it is given up. Pure (RFC 5321 §4.5.4.1)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE = 60.0
_HOUR = 60 * _MINUTE
# Doubling from one minute to four hours.
EXPONENTIAL = (*(_MINUTE * 2**n for n in range(8)), 4 * _HOUR)
JITTER = 0.2  # a wait is shortened or lengthened by up to this part, so that retries do not come in waves


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds between attempts (the last one is repeated), how long in all, and when the sender is warned."""

    waits: tuple[float, ...] = EXPONENTIAL
    max_age: float = 5 * 24 * _HOUR
    warn_after: float = 4 * _HOUR


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again then; with `warn_delayed` the sender is told now that the message is late."""

    at: datetime
    warn_delayed: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The time is over: the message goes back."""


Decision = RetryAt | GiveUp


def decide(
    schedule: Schedule,
    *,
    attempts: int,
    first_try: datetime,
    now: datetime,
    rng: random.Random,
    delay_warned: bool = False,
) -> Decision:
    """After the failed attempt number `attempts` (from 1) of a message that came at `first_try`.

    The last attempt falls on the end of the time, so that a short `max_age` never means no second try.
    """
    end = first_try + timedelta(seconds=schedule.max_age)
    if now >= end:
        return GiveUp()
    wait = schedule.waits[min(attempts, len(schedule.waits)) - 1]
    at = now + timedelta(seconds=wait * rng.uniform(1 - JITTER, 1 + JITTER))
    late = now - first_try >= timedelta(seconds=schedule.warn_after)
    return RetryAt(min(at, end), warn_delayed=late and not delay_warned)
