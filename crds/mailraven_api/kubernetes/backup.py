"""Backup: one backup, now."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from mailraven_api.kubernetes.backup_target import Encryption, Retention, Target
from mailraven_api.kubernetes.meta import KubeModel, Resource, ResourceStatus
from mailraven_api.kubernetes.rule import rules
from mailraven_api.kubernetes.status import LenientStatus

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
IMMUTABLE: dict[str, Any] = rules(("self == oldSelf", "spec does not change: make another resource"))


class BackupSpec(KubeModel):
    """Where the backup goes. It does not change."""

    model_config = ConfigDict(json_schema_extra=IMMUTABLE)

    target: Target
    """Where it goes."""
    encryption: Encryption | None = None
    """Not set: the backup is not encrypted."""
    retention: Retention | None = None
    """Then delete older backups in the target. Not set: all stay."""


class JobStatus(ResourceStatus):
    """What Backup and Restore tell of their Job."""

    phase: Phase | None = None
    """How far it is."""
    job_name: str | None = None
    """The Job that does it."""
    started_at: datetime | None = None
    """When the Job began."""
    completed_at: datetime | None = None
    """When it was done, or failed."""
    backup_name: str | None = None
    """The backup in the target."""
    messages: int | None = None
    """Messages saved, or brought back."""
    bytes: int | None = None
    """Octets of these messages."""
    error: str | None = None
    """Why it failed."""


class BackupStatus(JobStatus):
    """Observed state of a backup."""

    added_bytes: int | None = None
    """What it added to the target."""
    verified: bool | None = None
    """It was read back from the target."""


class Backup(Resource):
    """One backup, now."""

    KIND: ClassVar[str] = "Backup"

    kind: Literal["Backup"] = "Backup"
    spec: BackupSpec
    status: LenientStatus[BackupStatus] = BackupStatus()
