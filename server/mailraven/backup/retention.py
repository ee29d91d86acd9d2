"""Which backups are kept: all of some days, then one a day, a week, a month. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """The newest backup is always kept, whatever is asked for."""

    days: int = 30
    """All backups younger than this."""
    daily: int = 0
    """Then the last one of so many more days that have one,"""
    weekly: int = 0
    """of so many weeks (ISO 8601),"""
    monthly: int = 0
    """and of so many months."""


def kept(taken: Sequence[datetime], retention: Retention, now: datetime) -> set[datetime]:
    """Of the times of all backups those to keep."""
    newest_first = sorted(taken, reverse=True)
    keep = set(newest_first[:1])
    keep.update(at for at in newest_first if at > now - timedelta(days=retention.days))
    for count, period in (
        (retention.daily, lambda at: at.date().isoformat()),
        (retention.weekly, lambda at: "{}-{}".format(*at.isocalendar()[:2])),
        (retention.monthly, lambda at: f"{at.year}-{at.month}"),
    ):
        seen: set[str] = set()
        for at in newest_first:
            if len(seen) >= count:
                break
            if period(at) not in seen:
                seen.add(period(at))
                keep.add(at)
    return keep
