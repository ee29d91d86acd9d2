"""`mailraven backup`: it works on the database and the blobs themselves, whether a server runs or not."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.job_progress import JobProgress
from mailraven.cli.job_result import ResultFile, concluded, stoppable
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, Format, Output, option
from mailraven.cli.output import Column, moment, size
from mailraven.cli.output import Output as Writer
from mailraven.cli.problems import reported
from mailraven.cli.progress import ProgressForm, ProgressOption

if TYPE_CHECKING:
    from mailraven.backup.job import Made
    from mailraven.backup.prune import Pruned
    from mailraven.backup.snapshot import Snapshot
    from mailraven.config import Config

app = Commands("Backups: make, list, verify, delete old ones.")
T = TypeVar("T")

Place = Annotated[
    str, option("--target", "-t", metavar="PLACE", help="A directory or s3://BUCKET/PREFIX. [default: backup.target]")
]
KeyFile = Annotated[
    Path | None,
    option("--key-file", metavar="FILE", help="The key of encrypted backups. [default: backup.key_file]"),
]


def run(
    data: Path,
    files: Sequence[Path] | None,
    assignments: Sequence[str] | None,
    work: "Callable[[Config], Coroutine[Any, Any, T]]",
    *,
    make: bool = False,
) -> T:
    """What `work` returns, with the instance's database at hand. Raises Ended."""
    from mailraven.app.maintenance import instance_config

    with instance_config(data, files or (), os.environ, assignments or (), make=make) as config:
        return asyncio.run(stoppable(work(config)))


def settings(data: Path, files: Sequence[Path] | None, assignments: Sequence[str] | None) -> "Config":
    """For commands that look at the target only."""
    from mailraven.app.data_directory import DataDirectory
    from mailraven.config import load
    from mailraven.telemetry import logs

    found = DataDirectory(data).settings
    read = [found] if found.exists() else []
    config = load([*read, *(files or ())], os.environ, assignments or (), defaults={"log.level": "warning"})
    logs.configure(config.log.level, config.log.format, "stderr")
    return config


@app.callback(invoke_without_command=True)
def backup(context: typer.Context, target: Place = "", key_file: KeyFile = None, data: Data = DEFAULT_DATA) -> None:
    """Backups: make, list, verify, delete old ones. `mailraven backup --target DIR` makes one.

    Example:  mailraven backup --target /srv/backup
    """
    if context.invoked_subcommand is None:
        create(target=target, key_file=key_file, data=data)


@app.command("create")
def create(
    target: Place = "",
    key_file: KeyFile = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Delete no old backups.")] = False,
    result_file: ResultFile = None,
    progress: ProgressOption = ProgressForm.AUTO,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Make a backup, read it back, then delete those that are older than the settings say.

    Exit code 75: something is out of reach or another run is at work; the same command may succeed later.

    Example:  mailraven backup create --target s3://backups/mail
    """
    from mailraven.backup.job import Target, make_backup, yield_to_others

    yield_to_others()
    with concluded(result_file) as conclusion, JobProgress(progress) as shown:

        async def work(settings: "Config") -> "Made":
            from mailraven.app.maintenance import open_instance

            async with open_instance(settings) as instance:
                place = Target(target, key_file)
                return await make_backup(
                    settings, instance.database, instance.blobs, place, shown.job, actor="cli", keep_all=keep_all
                )

        made = run(data, config, assignments, work)
        document = described(made.name, made.snapshot) | {"pruned": _pruned(made.pruned)}
        conclusion.document = _concluded(made)
        text = (
            f"backup {made.name}: {made.snapshot.bodies} messages, {size(made.snapshot.body_octets)}; "
            f"{size(made.snapshot.added_octets)} added, read back"
        )
        Writer(output).done(text, document)


@app.command("list")
def list_(
    target: Place = "",
    key_file: KeyFile = None,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """List the backups of a target, oldest first.

    Example:  mailraven backup list --target /srv/backup
    """
    from mailraven.backup.job import Target, open_target

    async def read(settings: "Config") -> list[dict[str, Any]]:
        async with open_target(settings, Target(target, key_file), "read") as repository:
            return [described(one.name, await repository.read_snapshot(one)) for one in await repository.snapshots()]

    with reported():
        rows = asyncio.run(read(settings(data, config, assignments)))
        columns = (
            Column("NAME", "name"),
            Column("TAKEN", "taken_at", moment),
            Column("MESSAGES", "bodies"),
            Column("SIZE", "body_octets", size),
            Column("ADDED", "added_octets", size),
            Column("VERSION", "program"),
        )
        Writer(output).rows(rows, columns, nothing="no backups")


@app.command("verify")
def verify(
    at: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A backup, or the newest of a time.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All backups of the target.")] = False,
    target: Place = "",
    key_file: KeyFile = None,
    progress: ProgressOption = ProgressForm.AUTO,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Read a backup, the newest one, to its last octet.

    Example:  mailraven backup verify --target /srv/backup
    """
    from mailraven.backup.job import Target, verify_backups

    with reported(), JobProgress(progress) as shown:
        own = settings(data, config, assignments)
        found = asyncio.run(verify_backups(own, Target(target, key_file), shown.job, at=at, every=every))
        rows = [
            {"name": one.name, "rows": seen.rows, "bodies": seen.bodies, "packs": seen.packs, "octets": seen.octets}
            for one, seen in found
        ]
        columns = (Column("NAME", "name"), Column("MESSAGES", "bodies"), Column("READ", "octets", size))
        Writer(output).rows(rows, columns, nothing="no backups")


@app.command("prune")
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    target: Place = "",
    key_file: KeyFile = None,
    progress: ProgressOption = ProgressForm.AUTO,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Delete backups that are older than the settings say (backup.keep_days and its neighbours).

    Example:  mailraven backup prune --target /srv/backup --set backup.keep_days=7 --dry-run
    """
    from mailraven.backup.job import Target, prune_backups

    with reported(), JobProgress(progress) as shown:
        own = settings(data, config, assignments)
        result = asyncio.run(prune_backups(own, Target(target, key_file), shown.job, dry_run=dry_run))
        would = "would delete" if dry_run else "deleted"
        text = f"{would} {len(result.removed)} backups and {size(result.octets)}; {len(result.kept)} stay"
        Writer(output).done(text, _pruned(result))


@app.command("key")
def key(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Make a key for encrypted backups. Without it nobody can read them: keep a copy elsewhere.

    Example:  mailraven backup key /etc/mailraven/backup.key
    """
    from mailraven.backup.place import write_key

    with reported():
        write_key(file)
        typer.echo(f"wrote {file}: keep a copy of it apart from the backups")


def described(name: str, snapshot: "Snapshot") -> dict[str, Any]:
    """What programs get."""
    fields = ("taken_at", "finished_at", "program", "schema_version", "postgres", "hostname", "bodies", "body_octets",
              "blobs", "added_octets")  # fmt: skip
    document = snapshot.model_dump(mode="json", include=set(fields))
    return {"name": name} | {field: document[field] for field in fields} | {"tables": _rows(snapshot)}


def _concluded(made: "Made") -> dict[str, Any]:
    snapshot, pruned = made.snapshot, made.pruned
    return {
        "name": made.name,
        "taken_at": snapshot.taken_at.isoformat(),
        "messages": snapshot.bodies,
        "bytes": snapshot.body_octets,
        "added_bytes": snapshot.added_octets,
        "verified": True,  # a backup that was made was read back
        "removed": len(pruned.removed) if pruned else 0,
    }


def _rows(snapshot: "Snapshot") -> dict[str, int]:
    return {table.name: table.rows for table in snapshot.tables}


def _pruned(result: "Pruned | None") -> dict[str, Any] | None:
    if result is None:
        return None
    return {"kept": list(result.kept), "removed": list(result.removed), "octets": result.octets}
