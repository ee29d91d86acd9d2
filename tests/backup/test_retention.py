"""Which backups stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailraven.backup.retention import Retention, kept

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
NIGHTS = [NOW - timedelta(days=days) for days in range(400)]


def test_thirty_days_by_default() -> None:
    assert kept(NIGHTS, Retention(), NOW) == set(NIGHTS[:30])


def test_the_newest_stays_however_old() -> None:
    old = [NOW - timedelta(days=500), NOW - timedelta(days=600)]
    assert kept(old, Retention(days=1), NOW) == {old[0]}
    assert kept([], Retention(), NOW) == set()


def test_days_weeks_and_months() -> None:
    keep = kept(NIGHTS, Retention(days=0, daily=7, weekly=4, monthly=12), NOW)
    assert set(NIGHTS[:7]) <= keep
    assert len({at.isocalendar()[:2] for at in keep}) >= 4
    assert len({(at.year, at.month) for at in keep}) == 12
    assert len(keep) <= 7 + 4 + 12


def test_of_several_on_a_day_the_last() -> None:
    hours = [NOW - timedelta(hours=hours) for hours in range(72)]
    keep = kept(hours, Retention(days=0, daily=3), NOW)
    assert keep == {max(at for at in hours if at.date() == day) for day in {at.date() for at in hours[:51]}}
