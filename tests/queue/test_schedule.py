"""The retry schedule as tables: no clock, no database."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.queue import GiveUp, RetryAt, Schedule, decide
from mailraven.queue.schedule import EXPONENTIAL, JITTER

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 86400.0


def test_waits_double_from_a_minute_to_four_hours():
    assert EXPONENTIAL == (60, 120, 240, 480, 960, 1920, 3840, 7680, 14400)


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(1, 60), (2, 120), (5, 960), (8, 7680), (9, 14400), (10, 14400), (1000, 14400)],
)
def test_wait_after_attempt(attempts: int, wait: float):
    decision = decide(Schedule(), attempts=attempts, first_try=START, now=START, rng=random.Random(1))
    assert isinstance(decision, RetryAt)
    seconds = (decision.at - START).total_seconds()
    assert wait * (1 - JITTER) <= seconds <= wait * (1 + JITTER)


def test_first_retries_come_within_half_an_hour():
    """RFC 5321 §4.5.4.1: two attempts in the first hour at least."""
    now, attempts = START, 1
    for attempts in range(1, 4):
        decision = decide(Schedule(), attempts=attempts, first_try=START, now=now, rng=random.Random(attempts))
        assert isinstance(decision, RetryAt)
        now = decision.at
    assert now - START < timedelta(minutes=30)


@pytest.mark.parametrize(
    ("age_seconds", "warned", "expected"),
    [
        (0, False, False),
        (4 * 3600 - 1, False, False),
        (4 * 3600, False, True),
        (4 * 3600, True, False),
        (3 * DAY, False, True),
        (3 * DAY, True, False),
    ],
)
def test_delay_warning_comes_once_after_four_hours(age_seconds: float, warned: bool, expected: bool):
    decision = decide(
        Schedule(),
        attempts=6,
        first_try=START,
        now=START + timedelta(seconds=age_seconds),
        rng=random.Random(1),
        delay_warned=warned,
    )
    assert isinstance(decision, RetryAt)
    assert decision.warn_delayed is expected


@pytest.mark.parametrize(("age_seconds", "expected"), [(5 * DAY - 1, RetryAt), (5 * DAY, GiveUp), (50 * DAY, GiveUp)])
def test_given_up_after_five_days(age_seconds: float, expected: type):
    now = START + timedelta(seconds=age_seconds)
    decision = decide(Schedule(), attempts=30, first_try=START, now=now, rng=random.Random(1))
    assert isinstance(decision, expected)


def test_last_attempt_falls_on_the_end():
    now = START + timedelta(seconds=5 * DAY - 10)
    decision = decide(Schedule(), attempts=30, first_try=START, now=now, rng=random.Random(1))
    assert decision == RetryAt(START + timedelta(days=5), warn_delayed=True)


@given(attempts=st.integers(1, 10**6), age=st.floats(0, 5 * DAY - 1), seed=st.integers())
def test_a_retry_lies_in_the_future_and_before_the_end(attempts: int, age: float, seed: int):
    now = START + timedelta(seconds=age)
    decision = decide(Schedule(), attempts=attempts, first_try=START, now=now, rng=random.Random(seed))
    assert isinstance(decision, RetryAt)
    assert now < decision.at <= START + timedelta(days=5)


def test_jitter_spreads_retries():
    times = {decide(Schedule(), attempts=3, first_try=START, now=START, rng=random.Random(seed)) for seed in range(50)}
    assert len(times) > 40
