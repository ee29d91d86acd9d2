"""The command lines of the Jobs (docs/backup.md)."""

from datetime import datetime

from mailraven_api.kubernetes.backup_target import Retention
from mailraven_api.kubernetes.restore import RestoreSpec

RESULT_FILE = "/dev/termination-log"
_COMMON = ("--result-file", RESULT_FILE, "--progress", "json")


def backup(place: tuple[str, ...], retention: Retention | None) -> list[str]:
    """`place`: the arguments of the target. Without retention nothing in the target is deleted."""
    arguments = ["backup", "create", *place, *_COMMON]
    if retention is None:
        return [*arguments, "--keep-all"]
    # All four, so that the server's own settings never say how long these stay.
    for name in ("keep_days", "keep_daily", "keep_weekly", "keep_monthly"):
        arguments += ["--set", f"backup.{name}={getattr(retention, name)}"]
    return arguments


def restore(place: tuple[str, ...], spec: RestoreSpec, at: str | None) -> list[str]:
    """`at`: the name of a backup, or a time. Values stand behind a =, so that none is taken for an option."""
    values = {
        "at": at,
        "domain": spec.domain,
        "account": spec.account,
        "mailbox": spec.mailbox,
        "since": _moment(spec.since),
        "until": _moment(spec.until),
        "into": spec.into,
    }
    switches = {
        "beside": spec.mode == "beside",
        "merge": spec.mode == "merge",
        "dry-run": spec.dry_run,
        "release-queue": spec.release_queue,
    }
    arguments = ["restore", *place, *_COMMON]
    arguments += [f"--{name}={value}" for name, value in values.items() if value is not None]
    return arguments + [f"--{name}" for name, given in switches.items() if given]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
