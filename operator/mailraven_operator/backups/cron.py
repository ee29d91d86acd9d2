"""When a schedule fires next, by the rules of the CronJob controller: for the status only, it fires by itself."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_YEARS = 5  # what comes later than that, or never (30 February), is no time
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RANGE = re.compile(r"(\*|\?|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")


class BadSchedule(ValueError):
    """No schedule as Kubernetes understands it; names the field."""


@dataclass(frozen=True)
class Schedule:
    """The values that each of the five fields takes."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """Sunday is 0."""
    either_day: bool
    """Day of the month or day of the week, as always when both are given; else both have to fit."""

    def takes(self, day: date) -> bool:
        """Whether it fires on this day."""
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week


def parse(text: str) -> Schedule:
    """Raises BadSchedule."""
    fields = text.split()
    if len(fields) != 5:
        raise BadSchedule(f"expected five fields, there are {len(fields)}")
    minutes, _ = _field("minute", fields[0], 0, 59)
    hours, _ = _field("hour", fields[1], 0, 23)
    days, every_day = _field("day of the month", fields[2], 1, 31)
    months, _ = _field("month", fields[3], 1, 12, _MONTHS)
    weekdays, every_weekday = _field("day of the week", fields[4], 0, 6, _DAYS)
    return Schedule(minutes, hours, days, months, weekdays, not (every_day or every_weekday))


def zone_of(name: str | None) -> tzinfo:
    """UTC without a name. Raises ZoneInfoNotFoundError or ValueError."""
    return UTC if name is None else ZoneInfo(name)


def next_time(schedule: Schedule, after: datetime, zone: tzinfo) -> datetime | None:
    """The first time later than `after`, in UTC; None: never, or not in five years.

    Of a local time that the clock shows twice both count, one that it leaps over never comes.
    """
    day = after.astimezone(zone).date()
    last = date(day.year + _YEARS, day.month, min(day.day, monthrange(day.year + _YEARS, day.month)[1]))
    while day <= last:
        if schedule.takes(day):
            later = [moment for moment in _moments(schedule, day, zone) if moment > after]
            if later:
                return min(later)
        day += timedelta(days=1)
    return None


def _moments(schedule: Schedule, day: date, zone: tzinfo) -> Iterator[datetime]:
    for hour in schedule.hours:
        for minute in schedule.minutes:
            for fold in (0, 1):
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
                moment = local.astimezone(UTC)
                shown = moment.astimezone(zone)
                if (shown.hour, shown.minute, shown.day) == (hour, minute, day.day):
                    yield moment


def _field(what: str, text: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[frozenset[int], bool]:
    """The values, and whether it is a plain star."""
    found: set[int] = set()
    star = False
    for part in text.lower().split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise BadSchedule(f"{what}: {part!r} is not understood")
        first, second, step = match.groups()
        if first in ("*", "?"):
            if second is not None:
                raise BadSchedule(f"{what}: {part!r} is not understood")
            start, end = low, high
            star = star or step in (None, "1")
        else:
            start = _value(what, first, low, high, names)
            # 5/15 is 5-59/15.
            end = _value(what, second, low, high, names) if second else high if step else start
        if end < start:
            raise BadSchedule(f"{what}: {part!r} ends before it begins")
        if step is not None and int(step) == 0:
            raise BadSchedule(f"{what}: {part!r} has a step of 0")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found), star


def _value(what: str, text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + low
    if not text.isdigit() or not low <= int(text) <= high:
        raise BadSchedule(f"{what}: {text} is not from {low} to {high}")
    return int(text)
