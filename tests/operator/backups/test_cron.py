"""When a schedule fires: as Kubernetes' CronJob controller sees it, clock changes included."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mailraven_operator.backups.cron import BadSchedule, next_time, parse

BERLIN = ZoneInfo("Europe/Berlin")


def after(schedule: str, moment: str, zone: str = "UTC") -> str:
    found = next_time(parse(schedule), datetime.fromisoformat(moment), ZoneInfo(zone))
    return found.strftime("%Y-%m-%dT%H:%MZ") if found else "never"


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 2 * * *", "2026-11-21T01:59:59Z", "2026-11-21T02:00Z"),
        ("0 2 * * *", "2026-11-21T02:00:00Z", "2026-11-22T02:00Z"),
        ("*/15 * * * *", "2026-11-21T10:07:00Z", "2026-11-21T10:15Z"),
        ("5/15 * * * *", "2026-11-21T10:07:00Z", "2026-11-21T10:20Z"),
        ("5-20/5 8,20 * * *", "2026-11-21T08:20:00Z", "2026-11-21T20:05Z"),
        ("0 0 1 JAN ?", "2026-11-21T00:00:00Z", "2027-01-01T00:00Z"),
        ("30 3 * * mon-fri", "2026-11-20T04:00:00Z", "2026-11-23T03:30Z"),
        ("30 3 * * sun", "2026-11-20T04:00:00Z", "2026-11-22T03:30Z"),
        # Both kinds of day given: either of them. A star with a step is no star.
        ("0 0 13 * fri", "2026-11-21T00:00:00Z", "2026-11-27T00:00Z"),
        ("0 0 13 * fri", "2026-12-12T00:00:00Z", "2026-12-13T00:00Z"),
        ("0 0 */1 * fri", "2026-11-21T00:00:00Z", "2026-11-27T00:00Z"),
        ("0 0 */2 * fri", "2026-11-21T00:00:00Z", "2026-11-23T00:00Z"),
        ("0 0 29 2 *", "2026-11-21T00:00:00Z", "2028-02-29T00:00Z"),
        ("0 0 30 2 *", "2026-11-21T00:00:00Z", "never"),
        ("59 23 31 12 *", "2024-02-29T00:00:00Z", "2024-12-31T23:59Z"),
    ],
)
def test_the_next_time(schedule: str, moment: str, expected: str) -> None:
    assert after(schedule, moment) == expected


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 2 * * *", "2026-11-21T10:00:00Z", "2026-11-22T01:00Z"),
        # 02:30 on 29 March 2026 is leapt over; 02:30 on 25 October 2026 comes twice.
        ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30Z"),
        ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30Z"),
        ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30Z"),
        ("30 2 * * *", "2026-10-25T01:30:00Z", "2026-10-26T01:30Z"),
        ("0 0 1 1 *", "2026-12-31T22:59:00Z", "2026-12-31T23:00Z"),
    ],
)
def test_in_a_time_zone(schedule: str, moment: str, expected: str) -> None:
    assert after(schedule, moment, "Europe/Berlin") == expected


def test_every_minute_of_a_day_with_25_hours_comes_once() -> None:
    schedule, moment = parse("*/30 * * * *"), datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    found = []
    while (moment := next_time(schedule, moment, BERLIN) or moment) < datetime(2026, 10, 25, 23, 0, tzinfo=UTC):
        found.append(moment)
    assert len(found) == len(set(found)) == 49


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("0 2 * *", "expected five fields, there are 4"),
        ("60 * * * *", "minute: 60 is not from 0 to 59"),
        ("0 24 * * *", "hour: 24 is not from 0 to 23"),
        ("0 0 0 * *", "day of the month: 0 is not from 1 to 31"),
        ("0 0 * 13 *", "month: 13 is not from 1 to 12"),
        ("0 0 * * 7", "day of the week: 7 is not from 0 to 6"),
        ("0 0 * * noday", "day of the week: noday is not"),
        ("0 9-5 * * *", "hour: '9-5' ends before it begins"),
        ("*/0 * * * *", "minute: '*/0' has a step of 0"),
        ("0 0 L * *", "day of the month: l is not"),
        ("1,,2 * * * *", "minute: '' is not understood"),
        ("²  * * * *", "minute: '²' is not understood"),
    ],
)
def test_what_is_no_schedule(schedule: str, text: str) -> None:
    with pytest.raises(BadSchedule, match="^" + text.replace("*", r"\*")):
        parse(schedule)
