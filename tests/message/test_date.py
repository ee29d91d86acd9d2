from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailraven.message import parse_date


def at(*moment, hours=0, minutes=0):
    offset = timedelta(hours=hours, minutes=minutes)
    return datetime(*moment, tzinfo=timezone(offset) if offset else UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Mon, 02 Jan 2023 15:04:05 +0100", at(2023, 1, 2, 15, 4, 5, hours=1)),
        (b"2 Jan 2023 15:04:05 -0330", at(2023, 1, 2, 15, 4, 5, hours=-3, minutes=-30)),
        (b"2 Jan 2023 15:04 +0000", at(2023, 1, 2, 15, 4)),
        (b"2 jan 23 15:04 GMT", at(2023, 1, 2, 15, 4)),
        (b"Mon, 2 Jan 2023 15:04:05 EST", at(2023, 1, 2, 15, 4, 5, hours=-5)),
        (b"Mon, 2 Jan 2023 15:04:05 PDT", at(2023, 1, 2, 15, 4, 5, hours=-7)),
        (b"Mon, 2 Jan 2023 15:04:05 Q", at(2023, 1, 2, 15, 4, 5)),
        (b"Mon, 2 Jan 2023 15:04:05", at(2023, 1, 2, 15, 4, 5)),
        (b"Mon, 2 Jan 2023 15:04:05 +0100 (CET)", at(2023, 1, 2, 15, 4, 5, hours=1)),
        (b"Mon (day) , 2 (x) Jan 2023 15 : 04 : 05 +0100", at(2023, 1, 2, 15, 4, 5, hours=1)),
        (b"Mon, 2 Jan 2023 15:04:60 +0000", at(2023, 1, 2, 15, 4, 59)),
        (b"Monday, 2-Jan-2023 15:04:05 GMT+0200", at(2023, 1, 2, 15, 4, 5, hours=2)),
        (b"Mon, 2 January 2023 15:04:05 +0000", at(2023, 1, 2, 15, 4, 5)),
        (b"Mon, 2 Jan 2023 15.04.05 +0000", at(2023, 1, 2, 15, 4, 5)),
        (b"Mon Jan  2 15:04:05 2023", at(2023, 1, 2, 15, 4, 5)),
        (b"Mon Jan 2 15:04:05 CST 2023", at(2023, 1, 2, 15, 4, 5, hours=-6)),
        # years, RFC 5322 section 4.3
        (b"2 Jan 49 00:00 +0000", at(2049, 1, 2, 0, 0)),
        (b"2 Jan 50 00:00 +0000", at(1950, 1, 2, 0, 0)),
        (b"2 Jan 102 00:00 +0000", at(2002, 1, 2, 0, 0)),
        (b"2 Jan 0102 00:00 +0000", at(2002, 1, 2, 0, 0)),
        (b"2 Jan 1899 00:00 +0000", None),
        (b"31 Dec 9999 23:00 -0100", None),
        (b"2 Jan 2023 00:00 +9999", at(2023, 1, 2, 0, 0)),
        (b"2 Jan 2023 00:00 -2359", at(2023, 1, 2, 0, 0, hours=-23, minutes=-59)),
        # not dates
        (b"", None),
        (b"yesterday", None),
        (b"32 Jan 2023 00:00 +0000", None),
        (b"30 Feb 2023 00:00 +0000", None),
        (b"2 Foo 2023 00:00 +0000", None),
        (b"2 Jan 2023 25:00 +0000", None),
        (b"2 Jan 2023", None),
        (b"2023-01-02T15:04:05Z", None),
        (b"\xff\0", None),
        (b"(" * 500, None),
    ],
)
def test_date(value, expected):
    found = parse_date(value)
    assert found == expected
    if found is not None:
        assert found.utcoffset() == expected.utcoffset()
        assert found.astimezone(UTC)  # within what a database takes
