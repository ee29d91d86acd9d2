"""Names and labels of the Jobs and CronJobs that are made for a resource."""

import hashlib
import re

from mailraven_api.kubernetes import ObjectMeta

GROUP = "mailraven.io"
MANAGED_BY = {"app.kubernetes.io/managed-by": "mailraven-operator"}
SCHEDULE_LABEL = f"{GROUP}/backup-schedule"
BACKUP_LABEL = f"{GROUP}/backup"
RESTORE_LABEL = f"{GROUP}/restore"
_LABEL_LENGTH = 63
_CRON_JOB_LENGTH = 52  # Kubernetes adds 11 characters for each Job


def labels(label: str, name: str) -> dict[str, str]:
    """Of a child of the resource `name`."""
    return MANAGED_BY | {label: _cut(name, _LABEL_LENGTH)}


def cron_job_name(schedule: ObjectMeta) -> str:
    """The same for a schedule that is made again."""
    return _cut(f"backup-{_plain(schedule.name)}", _CRON_JOB_LENGTH)


def job_name(kind: str, owner: ObjectMeta) -> str:
    """One for each resource that ever is: another one of the same name has another uid."""
    suffix = hashlib.sha256(owner.uid.encode()).hexdigest()[:8]
    return f"{_cut(f'{kind}-{_plain(owner.name)}', _LABEL_LENGTH - 9)}-{suffix}"


def _plain(name: str) -> str:
    """Pods want a name without dots."""
    return name.replace(".", "-")


def _cut(name: str, length: int) -> str:
    """Two long names stay two."""
    if len(name) <= length:
        return name
    suffix = hashlib.sha256(name.encode()).hexdigest()[:8]
    return re.sub(r"[-._]+$", "", name[: length - 9]) + f"-{suffix}"
