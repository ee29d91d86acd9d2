"""BackupSchedule, Backup and Restore: Jobs and CronJobs that run `mailraven backup create` and `mailraven restore`."""

from mailraven_operator.backups.runs import Backups, Restores
from mailraven_operator.backups.schedules import Schedules

KINDS = (Schedules(), Backups(), Restores())

__all__ = ["KINDS", "Backups", "Restores", "Schedules"]
