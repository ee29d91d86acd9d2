"""Dates in and out."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.datetimes import DateTimes, parse_date, parse_date_time, render_date_time
from mailraven.imap.errors import SyntaxProblem

zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones | st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(moments)
@settings(max_examples=300, deadline=None)
def test_every_moment_comes_back_with_its_zone(moment: datetime) -> None:
    rendered = render_date_time(moment)
    back = parse_date_time(rendered[1:-1])
    assert back == moment
    assert back.utcoffset() == moment.utcoffset()
    assert DateTimes().render(moment) == rendered


def test_known_moments() -> None:
    moment = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
    assert render_date_time(moment) == b'"17-Jul-1996 02:44:25 -0700"'
    assert DateTimes().render(datetime(2024, 2, 1, 0, 0, 9, 999, tzinfo=UTC)) == b'" 1-Feb-2024 00:00:09 +0000"'
    assert parse_date_time(b" 1-feb-2024 00:00:60 +0000").second == 59


@pytest.mark.parametrize(
    "text",
    [
        b"1-Feb-2024 00:00:00 +0000",
        b"001-Feb-2024 00:00:00 +0000",
        b"30-Feb-2024 00:00:00 +0000",
        b"01-Foo-2024 00:00:00 +0000",
        b"01-Feb-24 00:00:00 +0000",
        b"01-Feb-2024 24:00:00 +0000",
        b"01-Feb-2024 00:61:00 +0000",
        b"01-Feb-2024 00:00:61 +0000",
        b"01-Feb-2024 00:00:00 +0060",
        b"01-Feb-2024 00:00:00 +2400",
        b"01-Feb-2024 00:00:00 0000",
        b"01-Feb-2024 00:00:00 GMT",
        b"01-Feb-2024 00:00:00 +0000 ",
        b"01-Jan-0000 00:00:00 +0000",
        b"01-Jan-0001 00:00:00 +0100",
        b"31-Dec-9999 23:59:59 -0100",
        b"",
    ],
)
def test_moments_that_do_not_exist(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse_date_time(text)


@pytest.mark.parametrize("text", [b"31-Apr-2024", b"1-1-2024", b"1-Feb-24", b"001-Feb-2024", b"", b"1-Feb-2024x"])
def test_days_that_do_not_exist(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse_date(text)


def test_days() -> None:
    assert parse_date(b"29-feb-2024") == date(2024, 2, 29)
    assert parse_date(b"1-JAN-0001") == date(1, 1, 1)
