"""Runs of backups (/api/v1/backups)."""

from datetime import datetime
from typing import Literal

from mailraven_api.model import Model


class BackupRun(Model):
    """A run of a backup: how far it is, or how it ended."""

    id: int
    actor: str
    """Who started it."""
    target: str
    """A directory of the server or s3://BUCKET/PREFIX."""
    state: Literal["running", "done", "failed"]
    phase: str
    """What it is at."""
    done: int
    """How much of the phase is done, in `unit`."""
    total: int
    """Of how much; 0: it is not known."""
    unit: str
    name: str
    """Of the backup that was made."""
    bodies: int
    """Messages in it."""
    body_octets: int
    added_octets: int
    """What it added to the target."""
    error: str
    """Why it failed."""
    started_at: datetime
    finished_at: datetime | None
