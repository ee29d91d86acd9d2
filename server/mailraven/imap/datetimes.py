"""Dates on the wire (RFC 9051 §9 date, date-time): parse them, render INTERNALDATE."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from mailraven.imap.errors import SyntaxProblem

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name.upper().encode("ascii"): number for number, name in enumerate(MONTHS, 1)}

# date-text      = date-day "-" date-month "-" date-year
# date-day       = 1*2DIGIT
# date-month     = "Jan" / "Feb" / ... / "Dec"
# date-year      = 4DIGIT
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\Z")
# date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
# date-day-fixed = (SP DIGIT) / 2DIGIT
# time           = 2DIGIT ":" 2DIGIT ":" 2DIGIT
# zone           = ("+" / "-") 4DIGIT
_DATE_TIME = re.compile(
    rb"( [0-9]|[0-9]{2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})\Z"
)


def parse_date(text: bytes) -> date:
    """A day that exists, else SyntaxProblem."""
    match = _DATE.match(text)
    month = _MONTH.get(match[2].upper()) if match else None
    if match is None or month is None:
        raise SyntaxProblem("expected a date like 1-Feb-2024")
    try:
        return date(int(match[3]), month, int(match[1]))
    except ValueError:
        raise SyntaxProblem("there is no such date") from None


def parse_date_time(text: bytes) -> datetime:
    """An aware moment that exists, else SyntaxProblem. A leap second counts as the second before it."""
    match = _DATE_TIME.match(text)
    month = _MONTH.get(match[2].upper()) if match else None
    if match is None or month is None:
        raise SyntaxProblem('expected a date and time like " 1-Feb-2024 10:00:00 +0100"')
    day, _, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if int(zone_minutes) > 59:
        raise SyntaxProblem("the zone has more than 59 minutes")
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        moment = datetime(
            int(year),
            month,
            int(day),
            int(hour),
            int(minute),
            59 if second == b"60" else int(second),
            tzinfo=timezone(-offset if sign == b"-" else offset),
        )
        return moment if _in_range(moment) else _no_such()
    except ValueError:
        return _no_such()


def render_date_time(moment: datetime) -> bytes:
    """`"17-Jul-1996 02:44:25 -0700"` with the quotes; the zone is that of the value."""
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    zone = b"%c%02d%02d" % (b"-" if minutes < 0 else b"+", abs(minutes) // 60, abs(minutes) % 60)
    time = _HOURS_MINUTES[moment.hour * 60 + moment.minute]
    return b'%b%b:%02d %b"' % (_render_day(moment), time, moment.second, zone)


class DateTimes(dict[int, bytes]):
    """Renders many moments: each day is made once, the rest is looked up (0.4 us a moment against 1.2 us)."""

    def __missing__(self, ordinal: int) -> bytes:
        day = self[ordinal] = _render_day(date.fromordinal(ordinal))
        return day

    def render(self, moment: datetime) -> bytes:
        """The same as `render_date_time`, faster for moments in UTC."""
        if moment.tzinfo is not UTC:
            return render_date_time(moment)
        return self[moment.toordinal()] + _HOURS_MINUTES[moment.hour * 60 + moment.minute] + _SECONDS_UTC[moment.second]


_HOURS_MINUTES = tuple(b"%02d:%02d" % (hour, minute) for hour in range(24) for minute in range(60))
_SECONDS_UTC = tuple(b':%02d +0000"' % second for second in range(60))


def _render_day(day: date) -> bytes:
    return b'"%2d-%b-%04d ' % (day.day, MONTHS[day.month - 1].encode("ascii"), day.year)


def _in_range(moment: datetime) -> bool:
    """Whether the moment can be kept in UTC: year 1 with a zone east of it cannot."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _no_such() -> datetime:
    raise SyntaxProblem("there is no such date and time")
