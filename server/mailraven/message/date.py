"""The Date field, its obsolete and usual broken forms included (RFC 5322 §3.3, §4.3)."""

import re
from datetime import UTC, datetime, timedelta, timezone

from mailraven.message.limits import Budget
from mailraven.message.mime import strip_comments

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
# RFC 5322 §4.3: these zones have a meaning; all other letters are -0000.
_ZONES = {
    b"EST": -300,
    b"EDT": -240,
    b"CST": -360,
    b"CDT": -300,
    b"MST": -420,
    b"MDT": -360,
    b"PST": -480,
    b"PDT": -420,
}
_DATE = re.compile(
    rb"(?:[A-Za-z]++[ \t]*+[,.]?+)?+[ \t]*+"
    rb"(\d{1,2})[ \t\-]*+([A-Za-z]{3})[a-z]*+[ \t\-.,]*+(\d{2,4})[ \t,]++"
    rb"(\d{1,2})[ \t]*+[:.][ \t]*+(\d{1,2})(?:[ \t]*+[:.][ \t]*+(\d{1,2}))?+(?:\.\d++)?+[ \t]*+"
    rb"(?:(?:GMT|UTC)?([+-]\d{4})|([A-Za-z]++))?+"
)
# asctime, as some programs write it: Mon Jan  2 15:04:05 2006
_ASCTIME = re.compile(
    rb"(?:[A-Za-z]{3},?+[ \t]++)?+([A-Za-z]{3})[ \t]++(\d{1,2})[ \t]++(\d{1,2}):(\d{2}):(\d{2})[ \t]++"
    rb"(?:([A-Za-z]{1,5})[ \t]++)?+(\d{4})(?:[ \t]++([+-]\d{4}))?+"
)
_FIRST_YEAR, _LAST_YEAR = 1900, 9998


def parse_date(value: bytes) -> datetime | None:
    """`value` is unfolded. The moment, with the zone it was written in; None when the field cannot be read."""
    value = strip_comments(value[:1000], Budget()).strip()
    found = _DATE.match(value)
    if found:
        day, month, year, hour, minute, second, offset, zone = found.groups()
    else:
        found = _ASCTIME.match(value)
        if found is None:
            return None
        month, day, hour, minute, second, zone, year, offset = found.groups()
    number = _MONTHS.get(month.lower())
    if number is None:
        return None
    try:
        return datetime(
            _year(year), number, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=_zone(offset, zone)
        )
    except ValueError:
        return None


def _year(digits: bytes) -> int:
    """RFC 5322 §4.3: two digits below 50 are of this century, other short years count from 1900; so does 0102."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        year += 2000
    elif year < 1000:
        year += 1900
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(year)
    return year


def _zone(offset: bytes | None, name: bytes | None) -> timezone:
    if offset is not None:
        if offset[1:] == b"0000":
            return UTC
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        if minutes >= 24 * 60:
            return UTC
        return timezone(timedelta(minutes=-minutes if offset[:1] == b"-" else minutes))
    minutes = _ZONES.get(name.upper(), 0) if name else 0
    return timezone(timedelta(minutes=minutes)) if minutes else UTC
