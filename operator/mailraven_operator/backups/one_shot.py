"""Backup and Restore: one Job each, once. What came of it stays in the status, whatever becomes of the Job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailraven_operator.backups.job_state import JobState
from mailraven_operator.outcome import ConditionValue, Outcome
from mailraven_operator.status import PAUSED, kept

_LOOK_SECONDS = 15.0  # pods are not watched: why one does not start is looked up


@dataclass(frozen=True)
class Words:
    """Of a kind."""

    what: str
    """Such as backup."""
    figures: dict[str, tuple[str, ...]]
    """Fields of the status, and from which of the result they come: the sum."""


def is_over(status: Mapping[str, Any]) -> bool:
    """It is never run again. `status`: as it is stored."""
    return status.get("phase") in ("Succeeded", "Failed")


def unchanged(status: Mapping[str, Any]) -> Outcome:
    """What the status says already."""
    return Outcome(_fields(status), kept(status, PAUSED))


def outcome(words: Words, state: JobState) -> Outcome:
    """The status that a Job comes to."""
    status: dict[str, Any] = {
        "phase": state.state.capitalize(),
        "jobName": state.name,
        "startedAt": written(state.started),
        "completedAt": written(state.ended),
        "backupName": state.text("name") or state.text("backup"),
    }
    if state.state == "succeeded":
        for name, sources in words.figures.items():
            numbers = [number for source in sources if (number := state.number(source)) is not None]
            status[name] = sum(numbers) if numbers else None
        if state.result.get("verified") is True:
            status["verified"] = True
        text = _done(words, state)
        return Outcome(status, tuple(ConditionValue(one, True, "Succeeded", text) for one in ("Complete", "Ready")))
    if state.state == "failed":
        return failed(status, state.reason, state.error)
    ready = ConditionValue("Ready", None, *_progress(words, state))
    return Outcome(status, (ready,), requeue_after=_LOOK_SECONDS)


def lost(status: Mapping[str, Any]) -> Outcome:
    """The Job went before its end was seen: deleted by somebody, or by time while no operator ran."""
    text = f"the Job {status.get('jobName')} is gone, and nobody saw its end; it is not run again"
    return failed(_fields(status), "JobGone", text)


def failed(status: dict[str, Any], reason: str, error: str) -> Outcome:
    """For good."""
    conditions = (ConditionValue("Failed", True, reason, error), ConditionValue("Ready", False, reason, error))
    return Outcome(status | {"phase": "Failed", "error": error}, conditions)


def written(moment: datetime | None) -> str | None:
    """As Kubernetes writes times."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _progress(words: Words, state: JobState) -> tuple[str, str]:
    if state.error:
        return "Retrying", f"tried again after {state.reason}: {state.error}"
    if state.waiting:
        return state.waiting, f"the pod of the Job {state.name} does not start: {state.waiting}"
    if state.state == "running":
        return "Running", f"the {words.what} is running"
    return "Pending", f"the Job {state.name} has not begun"


def _done(words: Words, state: JobState) -> str:
    count = state.number("messages")
    if count is None:
        return f"the {words.what} is done; it left no figures"
    dry = "; nothing was changed (dryRun)" if state.result.get("dry_run") is True else ""
    return f"the {words.what} is done: {count} messages{dry}"


def _fields(status: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in status.items() if name not in ("conditions", "observedGeneration")}
