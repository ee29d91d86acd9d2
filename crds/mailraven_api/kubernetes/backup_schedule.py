"""BackupSchedule: backups by the clock."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mailraven_api.kubernetes.backup_target import Encryption, Retention, Target
from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.meta import KubeModel, Resource, ResourceStatus, StatusModel
from mailraven_api.kubernetes.status import LenientStatus

_FIELD = r"[0-9A-Za-z*/,?-]+"


class BackupScheduleSpec(KubeModel):
    """When backups are made, where they go, and how long they stay."""

    schedule: Annotated[
        str,
        Field(max_length=200),
        Form(rf"{_FIELD}( +{_FIELD}){{4}}", 'five fields as in cron, such as "0 2 * * *"'),
    ]
    """Five fields as in cron: minute, hour, day of the month, month, day of the week."""
    time_zone: (
        Annotated[
            str, Field(max_length=64), Form(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone such as Europe/Berlin")
        ]
        | None
    ) = None
    """Of the schedule, such as Europe/Berlin. Not set: that of the cluster's controllers, mostly UTC."""
    suspend: bool = False
    """Make none for now."""
    immediate: bool = False
    """Make one as soon as this resource is made."""
    target: Target
    """Where backups go."""
    retention: Retention = Retention()
    encryption: Encryption | None = None
    """Not set: backups are not encrypted."""
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Forbid"
    """What happens when one is still running at the time of the next."""
    starting_deadline_seconds: Annotated[int, Field(ge=10, le=86400)] | None = None
    """How late a backup may begin; later it is left out."""
    successful_jobs_history_limit: Annotated[int, Field(ge=0, le=100)] = 3
    """Jobs that are kept to look at."""
    failed_jobs_history_limit: Annotated[int, Field(ge=0, le=100)] = 3
    """Jobs that are kept to look at."""


class LastBackup(StatusModel):
    """The last backup that was made."""

    name: str
    """In the target."""
    completed_at: datetime | None = None
    """When it was done."""
    messages: int | None = None
    """Messages in it."""
    bytes: int | None = None
    """Octets of the messages in it."""
    added_bytes: int | None = None
    """What it added to the target."""


class BackupScheduleStatus(ResourceStatus):
    """Observed state of a schedule."""

    last_schedule_time: datetime | None = None
    """When a backup last began by the clock."""
    last_success_time: datetime | None = None
    """When one was last done."""
    next_schedule_time: datetime | None = None
    """When the next one begins."""
    last_error: str | None = None
    """Why the last run failed; not set when it did not."""
    last_backup: LastBackup | None = None
    active: int | None = None
    """Backups that are running."""


class BackupSchedule(Resource):
    """Backups by the clock."""

    KIND: ClassVar[str] = "BackupSchedule"

    kind: Literal["BackupSchedule"] = "BackupSchedule"
    spec: BackupScheduleSpec
    status: LenientStatus[BackupScheduleStatus] = BackupScheduleStatus()
