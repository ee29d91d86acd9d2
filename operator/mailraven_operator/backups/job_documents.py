"""The Jobs and CronJobs as documents. Nothing here asks anybody."""

from typing import Any

from mailraven_api.kubernetes import Backup, BackupSchedule, BackupScheduleSpec, BackupSpec, Resource, Restore
from mailraven_operator.backups import commands, names
from mailraven_operator.backups.source import Source
from mailraven_operator.backups.target import attach
from mailraven_operator.backups.template import CONTAINER, pod_template

# A backup whose target or database is away is tried again, after 10 s, 20 s, 40 s…: six times last until the lock of
# a run that was killed is over (ten minutes). What cannot get better ends with 1 or 2, and is not tried again.
_BACKUP_TRIES = 6
_HOPELESS = [1, 2]
_BACKUP_SECONDS = 24 * 3600
_KEPT = {"ttlSecondsAfterFinished": 24 * 3600}  # to look at its log


def backup_document(resource: Backup, template: dict[str, Any]) -> dict[str, Any]:
    """The Job of a Backup."""
    labels = names.labels(names.BACKUP_LABEL, resource.metadata.name)
    pod = _backup_pod(resource.spec, template, labels)
    return _job(resource, names.job_name("backup", resource.metadata), labels, _backup_spec(pod) | _KEPT)


def immediate_document(resource: BackupSchedule, template: dict[str, Any]) -> dict[str, Any]:
    """The first backup of a schedule, at once."""
    labels = names.labels(names.SCHEDULE_LABEL, resource.metadata.name)
    pod = _backup_pod(resource.spec, template, labels)
    return _job(resource, names.job_name("backup", resource.metadata), labels, _backup_spec(pod) | _KEPT)


def restore_document(resource: Restore, source: Source, template: dict[str, Any]) -> dict[str, Any]:
    """The Job of a Restore. Tried once only: what was half done, a person looks at."""
    place = attach(source.target, source.encryption)
    labels = names.labels(names.RESTORE_LABEL, resource.metadata.name)
    pod = pod_template(template, commands.restore(place.arguments, resource.spec, source.at), place, labels)
    spec = {"backoffLimit": 0, "template": pod} | _KEPT
    return _job(resource, names.job_name("restore", resource.metadata), labels, spec)


def cron_job_document(resource: BackupSchedule, template: dict[str, Any]) -> dict[str, Any]:
    """The CronJob of a schedule. Every field is said, so that none stays changed by hand for longer than a resync."""
    wanted = resource.spec
    labels = names.labels(names.SCHEDULE_LABEL, resource.metadata.name)
    pod = _backup_pod(wanted, template, labels)
    spec: dict[str, Any] = {
        "schedule": wanted.schedule,
        "suspend": wanted.suspend,
        "concurrencyPolicy": wanted.concurrency_policy,
        "successfulJobsHistoryLimit": wanted.successful_jobs_history_limit,
        "failedJobsHistoryLimit": wanted.failed_jobs_history_limit,
        "jobTemplate": {"metadata": {"labels": labels}, "spec": _backup_spec(pod)},
    }
    if wanted.time_zone is not None:
        spec["timeZone"] = wanted.time_zone
    if wanted.starting_deadline_seconds is not None:
        spec["startingDeadlineSeconds"] = wanted.starting_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _metadata(resource, names.cron_job_name(resource.metadata), labels),
        "spec": spec,
    }


def is_owned(document: dict[str, Any], owner: Resource) -> bool:
    """Whether it was made for this resource."""
    return any(one.get("uid") == owner.metadata.uid for one in _owners(document))


def is_orphan_of(document: dict[str, Any], owner: Resource) -> bool:
    """Whether it was made for an earlier resource of the same name."""
    expected = (owner.api_version, owner.kind, owner.metadata.name)
    return any((one.get("apiVersion"), one.get("kind"), one.get("name")) == expected for one in _owners(document))


def _owners(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document.get("metadata", {}).get("ownerReferences") or []
    return found


def _backup_pod(
    spec: BackupSpec | BackupScheduleSpec, template: dict[str, Any], labels: dict[str, str]
) -> dict[str, Any]:
    place = attach(spec.target, spec.encryption)
    return pod_template(template, commands.backup(place.arguments, spec.retention), place, labels)


def _backup_spec(pod: dict[str, Any]) -> dict[str, Any]:
    return {
        "backoffLimit": _BACKUP_TRIES,
        "activeDeadlineSeconds": _BACKUP_SECONDS,
        "podFailurePolicy": {
            "rules": [
                # Evicted or drained: not the backup's fault.
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": _HOPELESS},
                },
            ]
        },
        "template": pod,
    }


def _job(owner: Resource, name: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(owner, name, labels), "spec": spec}


def _metadata(owner: Resource, name: str, labels: dict[str, str]) -> dict[str, Any]:
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
    }
    return {
        "name": name,
        "namespace": owner.metadata.namespace,
        "labels": labels,
        "ownerReferences": [reference],
    }
