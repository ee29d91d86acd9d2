"""When the end of a certificate is announced."""

import datetime as dt

from structlog.testing import capture_logs

from mailraven.certificates.expiry import ExpiryWatch, Lifetime

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def announced(*days: float) -> list[float]:
    """The days left that were said, by a watch that looks at these days in this order."""
    lifetime = Lifetime("main", "f1", NOW + dt.timedelta(days=20))
    watch = ExpiryWatch()
    with capture_logs() as logs:
        for day in days:
            watch.announce([lifetime], NOW + dt.timedelta(days=day))
    return [entry["days_left"] for entry in logs]


def test_once_for_each_threshold() -> None:
    assert announced(0, 5, 7, 8, 14, 18, 19.5, 19.6, 21, 22) == [13.0, 6.0, 0.5, -1.0]


def test_a_look_with_an_older_clock_says_nothing_again() -> None:
    assert announced(7, 14, 8, 14, 18, 7) == [13.0, 6.0]


def test_a_certificate_that_went_and_came_back_is_announced_again() -> None:
    lifetime = Lifetime("main", "f1", NOW + dt.timedelta(days=6))
    watch = ExpiryWatch()
    with capture_logs() as logs:
        for lifetimes in ([lifetime], [], [lifetime]):
            watch.announce(lifetimes, NOW)
    assert len(logs) == 2
