"""What a Job and its pods tell: how far it is, and the result that the command left as its termination message."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mailraven_operator.backups.template import CONTAINER

Document = dict[str, Any]
State = Literal["pending", "running", "succeeded", "failed"]
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")
_TEXT = 1000
_PULLING = ("ErrImagePull", "ImagePullBackOff")  # the two take turns
_STARTING = ("ContainerCreating", "PodInitializing", "")


@dataclass(frozen=True)
class JobState:
    """One Job. Times are in UTC."""

    name: str
    state: State
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    result: Document = field(default_factory=dict)
    """Of a run that succeeded."""
    reason: str = ""
    """Why it failed, or its last try did, in one word."""
    error: str = ""
    """The same in a sentence."""
    waiting: str = ""
    """Why its pod does not start, in one word."""

    @property
    def finished(self) -> bool:
        """Nothing will happen to it any more."""
        return self.state in ("succeeded", "failed")

    def number(self, name: str) -> int | None:
        """Of the result."""
        value = self.result.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """Of the result."""
        value = self.result.get(name)
        return _clean(value) if isinstance(value, str) and value else None


def job_state(job: Document, pods: Sequence[Document]) -> JobState:
    """`pods`: those of this Job."""
    status, conditions = job.get("status") or {}, _conditions(job)
    tries = sorted((one for one in map(_terminated, pods) if one), key=lambda one: one[0])
    state: State = "pending"
    if "Complete" in conditions:
        state = "succeeded"
    elif "Failed" in conditions:
        state = "failed"
    elif status.get("ready") or any(_is_running(pod) for pod in pods):
        state = "running"
    reason, error = "", ""
    if state == "failed":
        reason, error = _failure(conditions["Failed"], tries)
    elif state != "succeeded" and tries:
        reason, error = _of_try(tries[-1][1])
    results = [result for _, ended in tries if (result := _result(ended)).get("ok") is True]
    return JobState(
        name=job["metadata"]["name"],
        state=state,
        created=_moment(job["metadata"]["creationTimestamp"]),
        started=_moment_or_none(status.get("startTime")),
        ended=_ended(status, conditions, state),
        result=results[-1] if results and state == "succeeded" else {},
        reason=reason,
        error=error,
        waiting="" if state in ("succeeded", "failed", "running") else _waiting(pods),
    )


def is_pod_of(pod: Document, job: Document) -> bool:
    """By its owner."""
    owners = pod.get("metadata", {}).get("ownerReferences") or ()
    return any(one.get("uid") == job["metadata"]["uid"] for one in owners)


def _conditions(job: Document) -> dict[str, Document]:
    found = (job.get("status") or {}).get("conditions") or ()
    return {one["type"]: one for one in found if one.get("status") == "True"}


def _ended(status: Document, conditions: dict[str, Document], state: State) -> datetime | None:
    if state == "succeeded":
        return _moment_or_none(status.get("completionTime") or conditions["Complete"].get("lastTransitionTime"))
    if state == "failed":
        return _moment_or_none(conditions["Failed"].get("lastTransitionTime"))
    return None


def _failure(condition: Document, tries: list[tuple[str, Document]]) -> tuple[str, str]:
    if condition.get("reason") == "DeadlineExceeded":
        return "DeadlineExceeded", "the Job took longer than it may"
    if tries:
        return _of_try(tries[-1][1])
    return _word(condition.get("reason")), _clean(str(condition.get("message") or "the Job failed"))


def _of_try(ended: Document) -> tuple[str, str]:
    result = _result(ended)
    if result.get("ok") is False:
        return _word(result.get("reason")), _clean(str(result.get("error") or "no reason was given"))
    code, reason = ended.get("exitCode"), _word(ended.get("reason"))
    if reason == "OOMKilled":
        return reason, "the container took more memory than it may"
    return "ContainerFailed", f"the container ended with exit code {code} and left no result: its log may say why"


def _result(ended: Document) -> Document:
    try:
        found = json.loads(ended.get("message") or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _terminated(pod: Document) -> tuple[str, Document] | None:
    """When the container ended (ISO 8601, so that it sorts), and how."""
    ended = _container_state(pod).get("terminated")
    return (str(ended.get("finishedAt") or ""), ended) if ended else None


def _is_running(pod: Document) -> bool:
    return "running" in _container_state(pod)


def _waiting(pods: Sequence[Document]) -> str:
    for pod in pods:
        reason = str((_container_state(pod).get("waiting") or {}).get("reason") or "")
        if reason in _PULLING:
            return _PULLING[1]
        if reason not in _STARTING:
            return _word(reason)
        for one in (pod.get("status") or {}).get("conditions") or ():
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                return _word(one.get("reason"))
    return ""


def _container_state(pod: Document) -> Document:
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        if one.get("name") == CONTAINER:
            state: Document = one.get("state") or {}
            return state
    return {}


def _word(reason: object) -> str:
    """Fit for the reason of a condition."""
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else "JobFailed"


def _clean(text: str) -> str:
    """One line, and not a long one."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= _TEXT else line[: _TEXT - 1] + "…"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment_or_none(text: str | None) -> datetime | None:
    return _moment(text) if text else None
