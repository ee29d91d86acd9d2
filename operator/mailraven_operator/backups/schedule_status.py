"""What the status of a BackupSchedule says: from its CronJob, its Jobs, and what it said before.

Jobs are few and go by themselves (history limits), so nothing that was once known is forgotten with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from mailraven_api.kubernetes import BackupScheduleStatus
from mailraven_operator.backups.cron import Schedule, next_time
from mailraven_operator.backups.job_state import JobState
from mailraven_operator.backups.one_shot import written
from mailraven_operator.outcome import ConditionValue, Event, Outcome

LAST = "LastBackupSucceeded"
CRON_JOB = "CronJobReady"
_ACTIVE_SECONDS = 60.0
_LATE_SECONDS = 5.0  # the controller makes the Job some moments after its time


@dataclass(frozen=True)
class Seen:
    """What was found."""

    before: BackupScheduleStatus
    cron_job: dict[str, Any]
    jobs: Sequence[JobState]
    immediate: Sequence[JobState]
    """Those of `jobs` that no CronJob made."""
    now: datetime


def due(seen: Seen, *, immediate: bool, suspend: bool) -> bool:
    """Whether the backup that `immediate` asks for is still to be made: it is the first one of a schedule."""
    return immediate and not suspend and not seen.jobs and _last_schedule(seen) is None


def outcome(seen: Seen, schedule: Schedule, zone: tzinfo | None, *, suspend: bool) -> Outcome:
    """`zone` None: it is not known here, so that nobody can say when the next one is."""
    before, now = seen.before, seen.now
    coming = None if suspend or zone is None else next_time(schedule, now, zone)
    failure, success = _latest(seen.jobs, "failed"), _latest(seen.jobs, "succeeded")
    last_success = _newest(
        before.last_success_time, success.ended if success else None, _time(seen, "lastSuccessfulTime")
    )
    is_newer = last_success is not None and last_success != before.last_success_time
    error, last = before.last_error, _known(before)
    if failure and failure.ended and (last_success is None or failure.ended > last_success):
        error, last = failure.error, ConditionValue(LAST, False, failure.reason, failure.error)
    elif is_newer or (last.status is None and last_success is not None):
        error, last = None, ConditionValue(LAST, True, "Succeeded", "the last backup was made and read back")
    active = [one for one in seen.jobs if not one.finished]
    status = {
        "lastScheduleTime": written(_last_schedule(seen)),
        "lastSuccessTime": written(last_success),
        "nextScheduleTime": written(coming),
        "lastError": error,
        "lastBackup": _last_backup(before, success),
        "active": len(active),
    }
    cron_job = ("Suspended", "no backups are made while it is suspended") if suspend else ("Reconciled", "")
    return Outcome(
        status,
        (
            ConditionValue(CRON_JOB, True, *cron_job),
            last,
            ConditionValue("Ready", True, "Reconciled", _hindrance(active)),
        ),
        requeue_after=_next_look(coming, now, running=bool(active)),
        events=_events(_known(before), last),
    )


def _last_schedule(seen: Seen) -> datetime | None:
    by_hand = [one.created for one in seen.immediate]
    return _newest(seen.before.last_schedule_time, _time(seen, "lastScheduleTime"), *by_hand)


def _last_backup(before: BackupScheduleStatus, success: JobState | None) -> dict[str, Any] | None:
    known = before.last_backup
    name = success.text("name") if success else None
    if success is None or name is None or (known is not None and _is_later(known.completed_at, success.ended)):
        return known.model_dump(mode="json", by_alias=True, exclude_none=True) if known else None
    figures = {
        "name": name,
        "completedAt": written(success.ended),
        "messages": success.number("messages"),
        "bytes": success.number("bytes"),
        "addedBytes": success.number("added_bytes"),
    }
    return {key: value for key, value in figures.items() if value is not None}


def _is_later(known: datetime | None, found: datetime | None) -> bool:
    return known is not None and found is not None and known > found


def _known(before: BackupScheduleStatus) -> ConditionValue:
    for one in before.conditions:
        if one.type == LAST:
            return ConditionValue(LAST, {"True": True, "False": False}.get(one.status), one.reason, one.message)
    return ConditionValue(LAST, None, "NoBackupYet", "no backup has ended yet")


def _hindrance(active: Sequence[JobState]) -> str:
    stuck = [one for one in active if one.waiting]
    return f"the pod of the Job {stuck[0].name} does not start: {stuck[0].waiting}" if stuck else ""


def _events(before: ConditionValue, last: ConditionValue) -> tuple[Event, ...]:
    if (before.status, before.message) == (last.status, last.message):
        return ()
    if last.status is False:
        return (Event("BackupFailed", last.message, warning=True),)
    return (Event("BackupSucceeded", last.message),)


def _next_look(coming: datetime | None, now: datetime, *, running: bool) -> float | None:
    looks = [_ACTIVE_SECONDS] if running else []
    if coming is not None:
        looks.append((coming - now).total_seconds() + _LATE_SECONDS)
    return min(looks, default=None)


def _latest(jobs: Sequence[JobState], state: str) -> JobState | None:
    return max((one for one in jobs if one.state == state), key=lambda one: one.ended or one.created, default=None)


def _time(seen: Seen, name: str) -> datetime | None:
    text = (seen.cron_job.get("status") or {}).get(name)
    return datetime.fromisoformat(text) if text else None


def _newest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)
