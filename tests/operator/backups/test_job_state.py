"""What a Job and its pods tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailraven_operator.backups import one_shot
from mailraven_operator.backups.job_state import is_pod_of, job_state
from mailraven_operator.outcome import ConditionValue

Document = dict[str, Any]
RESULT = {"ok": True, "name": "20261121T020000.000000Z-ab", "messages": 12, "bytes": 3400, "added_bytes": 900,
          "verified": True, "removed": 0}  # fmt: skip
WORDS = one_shot.Words("backup", {"messages": ("messages",), "accounts": ("accounts_made", "accounts_filled")})


def job(*conditions: tuple[str, str], **status: Any) -> Document:
    found = [
        {"type": kind, "status": "True", "reason": reason, "message": "in Kubernetes' words",
         "lastTransitionTime": "2026-11-21T02:01:00Z"}
        for kind, reason in conditions
    ]  # fmt: skip
    return {
        "metadata": {"name": "backup-now", "uid": "the-job", "creationTimestamp": "2026-11-21T02:00:00Z"},
        "status": {"startTime": "2026-11-21T02:00:01Z", "conditions": found, **status},
    }


def pod(state: Document, *conditions: Document, container: str = "mailraven") -> Document:
    status = {"containerStatuses": [{"name": container, "state": state}], "conditions": list(conditions)}
    return {"metadata": {"ownerReferences": [{"uid": "the-job"}]}, "status": status}


def ended(message: Any, code: int = 1, at: str = "2026-11-21T02:00:30Z", reason: str = "Error") -> Document:
    text = message if isinstance(message, str) else json.dumps(message)
    return pod({"terminated": {"exitCode": code, "reason": reason, "finishedAt": at, "message": text}})


DONE = job(("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached"),
           completionTime="2026-11-21T02:00:40Z")  # fmt: skip
FAILED = job(("FailureTarget", "PodFailurePolicy"), ("Failed", "PodFailurePolicy"))
BUSY = {"ok": False, "reason": "Busy", "error": "another run is at work"}


@pytest.mark.parametrize(
    ("found", "pods", "state", "reason", "error"),
    [
        (job(), [], "pending", "", ""),
        (job(active=1, ready=0), [pod({"waiting": {"reason": "ContainerCreating"}})], "pending", "", ""),
        (job(active=1, ready=1), [], "running", "", ""),
        (job(active=1), [pod({"running": {}})], "running", "", ""),
        (job(active=1, failed=1), [ended(BUSY, 75), pod({"running": {}})], "running", "Busy", "another run"),
        (DONE, [ended(BUSY, 75, "2026-11-21T02:00:10Z"), ended(RESULT, 0)], "succeeded", "", ""),
        (DONE, [], "succeeded", "", ""),
        (FAILED, [ended({"ok": False, "reason": "WrongKey", "error": "key file: no"})], "failed", "WrongKey", "key"),
        # The last try counts.
        (
            FAILED,
            [ended({"ok": False, "reason": "WrongKey", "error": "late"}, at="2026-11-21T02:00:50Z"), ended(BUSY, 75)],
            "failed",
            "WrongKey",
            "late",
        ),
        (FAILED, [ended("", 137, reason="OOMKilled")], "failed", "OOMKilled", "more memory"),
        (FAILED, [ended("", 143)], "failed", "ContainerFailed", "exit code 143"),
        (FAILED, [ended("Traceback…", 1)], "failed", "ContainerFailed", "exit code 1"),
        (FAILED, [ended("[" * 5000, 1)], "failed", "ContainerFailed", "exit code 1"),
        (FAILED, [ended('"text"', 1)], "failed", "ContainerFailed", "exit code 1"),
        (FAILED, [ended({"ok": False, "reason": "no word", "error": 5})], "failed", "JobFailed", "5"),
        (FAILED, [pod({"terminated": {"exitCode": 1}}, container="sidecar")], "failed", "PodFailurePolicy", "words"),
        (FAILED, [], "failed", "PodFailurePolicy", "in Kubernetes' words"),
        (job(("Failed", "DeadlineExceeded")), [ended("", 143)], "failed", "DeadlineExceeded", "longer than it may"),
    ],
)
def test_states(found: Document, pods: list[Document], state: str, reason: str, error: str) -> None:
    seen = job_state(found, pods)
    assert (seen.state, seen.reason) == (state, reason)
    assert error in seen.error
    assert bool(seen.error) == bool(error)
    assert seen.finished == (state in ("succeeded", "failed"))
    assert (seen.ended is not None) == seen.finished


def test_figures_of_the_result() -> None:
    seen = job_state(DONE, [ended(RESULT | {"bytes": "3400", "removed": True}, 0)])
    assert (seen.number("messages"), seen.number("bytes"), seen.number("removed")) == (12, None, None)
    assert (seen.text("name"), seen.text("messages")) == (RESULT["name"], None)
    # Of a run that failed nothing is taken.
    assert job_state(FAILED, [ended(RESULT, 0)]).result == {}


def test_an_error_is_one_short_line() -> None:
    seen = job_state(FAILED, [ended({"ok": False, "reason": "Bad", "error": "a\n\x1b[31mb" + "x" * 5000})])
    assert seen.error.startswith("a [31mb")
    assert len(seen.error) == 1000


@pytest.mark.parametrize(
    ("state", "conditions", "waiting"),
    [
        ({"waiting": {"reason": "CreateContainerConfigError"}}, [], "CreateContainerConfigError"),
        ({"waiting": {"reason": "ErrImagePull"}}, [], "ImagePullBackOff"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, [], "ImagePullBackOff"),
        ({"waiting": {"reason": "PodInitializing"}}, [], ""),
        ({}, [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}], "Unschedulable"),
        ({}, [{"type": "PodScheduled", "status": "True"}], ""),
    ],
)  # fmt: skip
def test_why_a_pod_does_not_start(state: Document, conditions: list[Document], waiting: str) -> None:
    seen = job_state(job(active=1), [pod(state, *conditions)])
    assert (seen.state, seen.waiting) == ("pending", waiting)
    outcome = one_shot.outcome(WORDS, seen)
    assert outcome.conditions[-1].reason == (waiting or "Pending")
    assert outcome.conditions[-1].status is None
    assert outcome.requeue_after


def test_pods_of_others() -> None:
    assert is_pod_of(pod({}), DONE)
    assert not is_pod_of({"metadata": {}}, DONE)


def test_the_status_of_a_one_shot_that_is_done() -> None:
    outcome = one_shot.outcome(WORDS, job_state(DONE, [ended(RESULT | {"accounts_made": 1, "accounts_filled": 2}, 0)]))
    assert outcome.status == {
        "phase": "Succeeded",
        "jobName": "backup-now",
        "startedAt": "2026-11-21T02:00:01Z",
        "completedAt": "2026-11-21T02:00:40Z",
        "backupName": RESULT["name"],
        "messages": 12,
        "accounts": 3,
        "verified": True,
    }
    text = "the backup is done: 12 messages"
    assert outcome.conditions == tuple(ConditionValue(one, True, "Succeeded", text) for one in ("Complete", "Ready"))
    dry = one_shot.outcome(WORDS, job_state(DONE, [ended({"ok": True, "messages": 3, "dry_run": True}, 0)]))
    assert "nothing was changed" in dry.conditions[-1].message
    gone = one_shot.outcome(WORDS, job_state(DONE, []))
    assert gone.conditions[-1].message == "the backup is done; it left no figures"


def test_the_status_of_a_one_shot_that_failed() -> None:
    outcome = one_shot.outcome(WORDS, job_state(FAILED, [ended(BUSY, 75)]))
    assert (outcome.status["phase"], outcome.status["error"]) == ("Failed", "another run is at work")
    assert [(one.type, one.status, one.reason) for one in outcome.conditions] == [
        ("Failed", True, "Busy"),
        ("Ready", False, "Busy"),
    ]
    retrying = one_shot.outcome(WORDS, job_state(job(active=1), [ended(BUSY, 75)]))
    assert retrying.conditions[-1].reason == "Retrying"
    assert "another run is at work" in retrying.conditions[-1].message


def test_what_is_over_stays_as_it_is() -> None:
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "done",
                 "lastTransitionTime": "2026-11-21T02:01:00Z"}  # fmt: skip
    status = {"phase": "Succeeded", "jobName": "x", "unknown": 1, "conditions": [condition], "observedGeneration": 1}
    assert one_shot.is_over(status)
    outcome = one_shot.unchanged(status)
    assert outcome.status == {"phase": "Succeeded", "jobName": "x", "unknown": 1}
    assert outcome.conditions == (ConditionValue("Ready", True, "Succeeded", "done"),)
    assert outcome.requeue_after is None


def test_a_job_that_went_before_its_end_was_seen() -> None:
    outcome = one_shot.lost({"phase": "Running", "jobName": "backup-now", "startedAt": "2026-11-21T02:00:01Z"})
    assert (outcome.status["phase"], outcome.status["startedAt"]) == ("Failed", "2026-11-21T02:00:01Z")
    assert outcome.conditions[-1].reason == "JobGone"
