"""`mailraven restore`: a whole instance into an empty one, or a part into one that is there."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailraven.cli.backup import KeyFile, Place, run
from mailraven.cli.groups import Commands
from mailraven.cli.job_progress import JobProgress
from mailraven.cli.job_result import ResultFile, concluded
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, Format, Output, option
from mailraven.cli.output import Output as Writer
from mailraven.cli.problems import UsageProblem
from mailraven.cli.progress import ProgressForm, ProgressOption

if TYPE_CHECKING:
    from mailraven.backup.progress import Progress
    from mailraven.backup.repository import Repository
    from mailraven.backup.selection import Selection
    from mailraven.backup.snapshot import Snapshot
    from mailraven.config import Config

app = Commands(single=True)
Text = str | None


@app.command("restore")
def restore(
    target: Place = "",
    at: Annotated[Text, option("--at", metavar="NAME|TIME", help="A backup, or the newest of a time.")] = None,
    domain: Annotated[Text, option("--domain", metavar="NAME", help="Only this domain.")] = None,
    account: Annotated[Text, option("--account", metavar="ADDRESS", help="Only this account.")] = None,
    mailbox: Annotated[Text, option("--mailbox", metavar="NAME", help="Of it this mailbox, and those below.")] = None,
    since: Annotated[Text, option("--since", metavar="TIME", help="Only mail that arrived since then.")] = None,
    until: Annotated[Text, option("--until", metavar="TIME", help="Only mail that arrived before.")] = None,
    into: Annotated[Text, option("--into", metavar="ADDRESS", help="Give the mail to another account.")] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Existing accounts get new mailboxes.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Existing mailboxes get what they lack.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come back.")] = False,
    release_queue: Annotated[
        bool, typer.Option("--release-queue", help="Send what waited in the queue; else it is held.")
    ] = False,
    key_file: KeyFile = None,
    result_file: ResultFile = None,
    progress: ProgressOption = ProgressForm.AUTO,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Bring back a backup. Nothing that is there is changed.

    Without --domain or --account: all of it, into an instance that is empty or not there yet. Exit code 75: something
    is out of reach or another run is at work.

    Example:  mailraven restore --target /srv/backup --data ./new
    """
    with concluded(result_file) as conclusion, JobProgress(progress) as shown:
        selection = _selection(domain, account, mailbox, since, until, into, beside=beside, merge=merge)

        async def work(settings: "Config") -> dict[str, Any]:
            from mailraven.backup.job import Target, choose, open_target

            async with open_target(settings, Target(target, key_file), "read") as repository:
                listed = await choose(repository, at)
                snapshot = await repository.read_snapshot(listed)
                found: dict[str, Any] = {"backup": listed.name, "taken_at": snapshot.taken_at.isoformat()}
                if selection is None:
                    return found | await _whole(
                        settings, repository, snapshot, shown.job, dry_run=dry_run, release_queue=release_queue
                    )
                return found | await _part(settings, repository, snapshot, selection, shown.job, dry_run=dry_run)

        document = run(data, config, assignments, work, make=selection is None and not dry_run) | {"dry_run": dry_run}
        conclusion.document = _concluded(document)
        Writer(output).done(_sentence(document), document)


def _selection(
    domain: Text, account: Text, mailbox: Text, since: Text, until: Text, into: Text, *, beside: bool, merge: bool
) -> "Selection | None":
    from mailraven.backup.selection import Existing, Selection
    from mailraven.directory import normalize_domain, parse_address

    if domain is None and account is None:
        if mailbox or since or until or into or beside or merge:
            raise UsageProblem("name a --domain or an --account to restore a part")
        return None
    if domain is not None and account is not None:
        raise UsageProblem("name a --domain or an --account, not both")
    if beside and merge:
        raise UsageProblem("say --beside or --merge, not both")
    return Selection(
        domain=None if domain is None else normalize_domain(domain),
        account=None if account is None else str(parse_address(account).canonical),
        mailbox=mailbox,
        since=_time("--since", since),
        until=_time("--until", until),
        into=into,
        existing=Existing.MERGE if merge else Existing.BESIDE if beside or into else Existing.REFUSE,
    )


def _time(name: str, text: Text) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"{name}: expected a time such as 2026-11-21 or 2026-11-21T02:00+01:00") from None
    return moment if moment.tzinfo is not None else moment.astimezone()


async def _whole(
    config: "Config",
    repository: "Repository",
    snapshot: "Snapshot",
    job: "Progress",
    *,
    dry_run: bool,
    release_queue: bool,
) -> dict[str, Any]:
    from mailraven.app.maintenance import open_instance
    from mailraven.backup.restore import restore_all
    from mailraven.sealing import Sealer

    keys = Sealer.of(config.secrets).key_ids
    async with open_instance(config) as instance:
        done = await restore_all(
            instance.database, instance.blobs, repository, snapshot, job,
            dry_run=dry_run, hold_queue=not release_queue, sealing_keys=keys,
        )  # fmt: skip
    rows = {table.name: table.rows for table in snapshot.tables}
    return {
        "rows": done.rows, "domains": rows.get("domain", 0), "accounts": rows.get("account", 0),
        "mailboxes": rows.get("mailbox", 0), "messages": done.bodies, "blobs_written": done.blobs_written,
        "held": done.held,
    }  # fmt: skip


async def _part(
    config: "Config",
    repository: "Repository",
    snapshot: "Snapshot",
    selection: "Selection",
    job: "Progress",
    *,
    dry_run: bool,
) -> dict[str, Any]:
    from mailraven.app.maintenance import open_instance
    from mailraven.backup.part import PartRestore
    from mailraven.mailstore import Mailstore
    from mailraven.sealing import Sealer

    inline_max = config.blobs.inline_max
    async with open_instance(config) as instance:
        mailstore = Mailstore(instance.database, instance.blobs, inline_max=inline_max)
        try:
            part = PartRestore(
                instance.database, instance.blobs, mailstore, repository, snapshot, job,
                inline_max=inline_max, sealer=Sealer.of(config.secrets),
            )  # fmt: skip
            done = await part.run(selection, dry_run=dry_run)
        finally:
            await mailstore.close()
    return {
        "accounts_made": done.accounts_made, "accounts_filled": done.accounts_filled, "messages": done.messages,
        "present": done.present,
    }  # fmt: skip


def _concluded(document: dict[str, Any]) -> dict[str, Any]:
    """Numbers in place of lists, which may be long."""
    return {key: len(value) if isinstance(value, list) else value for key, value in document.items()}


def _sentence(document: dict[str, Any]) -> str:
    verb = "would restore" if document["dry_run"] else "restored"
    text = f"{verb} {document['messages']} messages of {document['backup']}"
    if document.get("accounts_made"):
        text += f"; accounts made: {', '.join(document['accounts_made'][:10])}"
    if document.get("present"):
        text += f"; {document['present']} were there already"
    if document.get("held"):
        text += f"; {document['held']} messages of the queue are held: `mailraven queue release` sends them"
    return text
