"""What the status of a schedule says, and that it forgets nothing when Jobs go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailraven_api.kubernetes import BackupScheduleStatus
from mailraven_operator.backups import cron
from mailraven_operator.backups.job_state import JobState
from mailraven_operator.backups.schedule_status import LAST, Seen, due, outcome
from mailraven_operator.outcome import ConditionValue, Outcome
from mailraven_operator.status import desired_status

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SCHEDULE = cron.parse("0 2 * * *")
RESULT = {"ok": True, "name": "the-backup", "messages": 12, "bytes": 3400, "added_bytes": 900}


def hours(number: float) -> datetime:
    """Ago."""
    return NOW - timedelta(hours=number)


def job(name: str, state: Any, ago: float, **more: Any) -> JobState:
    ended = hours(ago - 0.5) if state in ("succeeded", "failed") else None
    return JobState(name, state, hours(ago), hours(ago), ended, **more)


def good(ago: float) -> JobState:
    return job(f"good-{ago}", "succeeded", ago, result=RESULT | {"name": f"of-{ago}"})


def bad(ago: float, text: str = "the target is away") -> JobState:
    return job(f"bad-{ago}", "failed", ago, reason="TargetUnavailable", error=text)


def seen(*jobs: JobState, before: Outcome | None = None, cron_job: dict[str, Any] | None = None) -> Seen:
    stored = desired_status({}, before.status, before.conditions, 1, NOW) if before else {}
    status = BackupScheduleStatus.model_validate(stored)
    return Seen(status, {"status": cron_job or {}}, jobs, (), NOW)


def found(*jobs: JobState, before: Outcome | None = None, cron_job: dict[str, Any] | None = None) -> Outcome:
    return outcome(seen(*jobs, before=before, cron_job=cron_job), SCHEDULE, UTC, suspend=False)


def last(outcome: Outcome) -> ConditionValue:
    return next(one for one in outcome.conditions if one.type == LAST)


def test_a_new_schedule() -> None:
    fresh = found()
    assert {key: value for key, value in fresh.status.items() if value is not None} == {
        "nextScheduleTime": "2026-11-22T02:00:00Z",
        "active": 0,
    }
    assert [(one.type, one.status) for one in fresh.conditions] == [
        ("CronJobReady", True),
        (LAST, None),
        ("Ready", True),
    ]
    assert fresh.requeue_after == 16 * 3600 + 5
    assert fresh.events == ()


def test_after_a_backup() -> None:
    after = found(good(8), cron_job={"lastScheduleTime": "2026-11-21T02:00:00Z"})
    assert after.status["lastScheduleTime"] == "2026-11-21T02:00:00Z"
    assert after.status["lastSuccessTime"] == "2026-11-21T02:30:00Z"
    assert after.status["lastBackup"] == {
        "name": "of-8",
        "completedAt": "2026-11-21T02:30:00Z",
        "messages": 12,
        "bytes": 3400,
        "addedBytes": 900,
    }
    assert last(after).status is True
    assert [one.reason for one in after.events] == ["BackupSucceeded"]


@pytest.mark.parametrize(
    ("jobs", "succeeded", "error"),
    [
        ((good(32), bad(8)), False, "the target is away"),
        ((bad(32), good(8)), True, None),
        ((bad(8),), False, "the target is away"),
        ((bad(32, "old"), bad(8, "new")), False, "new"),
        ((good(32), good(8)), True, None),
    ],
)
def test_the_newest_end_counts(jobs: tuple[JobState, ...], succeeded: bool, error: str | None) -> None:
    for order in (jobs, jobs[::-1]):
        after = found(*order)
        assert (last(after).status, after.status["lastError"]) == (succeeded, error)


@pytest.mark.parametrize("jobs", [(good(8),), (bad(8),), (good(32), bad(8)), (bad(32), good(8)), ()])
def test_nothing_is_forgotten_when_jobs_go_and_nothing_changes_by_itself(jobs: tuple[JobState, ...]) -> None:
    before = found(*jobs)
    for again in (found(*jobs, before=before), found(before=before)):
        assert again.status == before.status
        assert again.conditions == before.conditions
        assert again.events == ()


def test_a_failure_is_over_with_the_next_success() -> None:
    failed = found(good(32), bad(8))
    assert failed.events[0].warning
    again = found(bad(8), before=failed)
    assert again.events == ()
    better = found(good(1), before=again)
    assert (last(better).status, better.status["lastError"]) == (True, None)
    assert better.status["lastBackup"]["name"] == "of-1"
    assert [one.reason for one in better.events] == ["BackupSucceeded"]
    # A success whose figures are gone does not put an older one in its place.
    assert found(good(8), before=better).status["lastBackup"]["name"] == "of-1"


def test_a_success_that_left_no_figures() -> None:
    after = found(replace(good(8), result={}))
    assert after.status["lastSuccessTime"] == "2026-11-21T02:30:00Z"
    assert after.status["lastBackup"] is None
    assert last(after).status is True


def test_success_that_only_the_cron_job_knows_of() -> None:
    after = found(cron_job={"lastSuccessfulTime": "2026-11-21T02:10:00Z"})
    assert after.status["lastSuccessTime"] == "2026-11-21T02:10:00Z"
    assert last(after).status is True


def test_running_ones() -> None:
    after = found(job("a", "running", 0.1), job("b", "pending", 0.1, waiting="ImagePullBackOff"))
    assert after.status["active"] == 2
    assert after.requeue_after == 60
    assert after.conditions[-1] == ConditionValue(
        "Ready", True, "Reconciled", "the pod of the Job b does not start: ImagePullBackOff"
    )


def test_suspended_or_in_an_unknown_zone_it_has_no_next_time() -> None:
    suspended = outcome(seen(), SCHEDULE, UTC, suspend=True)
    assert suspended.status["nextScheduleTime"] is None
    assert suspended.conditions[0].reason == "Suspended"
    assert suspended.requeue_after is None
    assert outcome(seen(), SCHEDULE, None, suspend=False).status["nextScheduleTime"] is None


def test_the_backup_that_is_asked_for_at_once_is_made_once() -> None:
    fresh = seen()
    assert due(fresh, immediate=True, suspend=False)
    assert not due(fresh, immediate=False, suspend=False)
    assert not due(fresh, immediate=True, suspend=True)
    made = job("first", "running", 0.1)
    running = replace(fresh, jobs=(made,), immediate=(made,))
    assert not due(running, immediate=True, suspend=False)
    status = outcome(running, SCHEDULE, UTC, suspend=False)
    assert status.status["lastScheduleTime"] == "2026-11-21T09:54:00Z"
    # Also when its Job is gone by time.
    assert not due(seen(before=status), immediate=True, suspend=False)
    assert not due(seen(cron_job={"lastScheduleTime": "2026-11-21T02:00:00Z"}), immediate=True, suspend=False)
