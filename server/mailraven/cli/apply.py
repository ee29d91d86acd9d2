"""`mailraven apply` and `mailraven diff`: manifests to a server, with what changes."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import option
from mailraven.cli.plain import clean
from mailraven.cli.problems import FAILED, CommandError, UsageProblem, complain
from mailraven.cli.progress import Progress, ProgressForm, ProgressOption
from mailraven.cli.session import Session, online

if TYPE_CHECKING:
    from mailraven.cli.desired import Change

app = Commands(single=True)
diff_app = Commands(single=True)
Files = Annotated[
    list[str] | None,
    option("--file", "-f", metavar="FILE", help="A file, a directory, or - for the standard input; repeatable."),
]
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_ACTIONS = ("created", "configured", "unchanged", "deleted", "failed")


@online(app, "apply")
def apply(
    session: Session,
    file: Files = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; exit code 1 if something would.")] = False,
    show_diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show what changes.")] = True,
    progress: ProgressOption = ProgressForm.AUTO,
) -> None:
    """Make domains, users and policies as manifests say: the same YAML as on Kubernetes.

    Kinds: MailDomain, MailUser, RateLimitPolicy, and Secret for the passwords of new users and for certificates. What
    no manifest names stays as it is. Everything is checked before anything is sent. What only a cluster can do
    (BackupSchedule, Backup, Restore, issuers, generated Secrets) is checked and left out, with a note on stderr that
    says what to do instead.

    Example:  mailraven apply -f examples/domain.yaml
    """
    changes = _compare(session, file, progress)
    if show_diff:
        _show(session, changes)
    if dry_run:
        _report(session, [(change, change.action, "") for change in changes], dry_run=True)
        raise typer.Exit(_would_change(changes))
    done: list[tuple[Change, str, str]] = []
    try:
        with Progress(progress, "apply", len(changes)) as bar:
            for change in changes:
                done.append(_perform(session, change))
                bar.step(change.title)
    finally:
        _report(session, done, dry_run=False)
    for _, _, problem in done:
        if problem:
            complain(problem)
    if any(problem for _, _, problem in done):
        raise typer.Exit(FAILED)


@online(diff_app, "diff")
def diff(session: Session, file: Files = None, progress: ProgressOption = ProgressForm.AUTO) -> None:
    """Show what `apply` would change, and change nothing. Exit code 1 if there is a difference.

    Example:  mailraven diff -f manifests/
    """
    changes = _compare(session, file, progress)
    if session.output.is_table:
        _show(session, changes)
    else:
        _report(session, [(change, change.action, "") for change in changes], dry_run=True)
    raise typer.Exit(_would_change(changes))


def _compare(session: Session, files: Sequence[str] | None, form: ProgressForm) -> "list[Change]":
    from mailraven.cli.desired import compare
    from mailraven.cli.manifests import read_manifests

    if not files:
        raise UsageProblem("name what to apply with --file (-f): a file, a directory, or - for the standard input")
    manifests = read_manifests(files)
    for note in manifests.notes:
        complain(f"note: {note}")
    changes = []
    with Progress(form, "compare", len(manifests.items)) as bar:
        for manifest in manifests.items:
            changes += compare(session.api, manifest)
            bar.step(manifest.title)
    return changes


def _perform(session: Session, change: "Change") -> "tuple[Change, str, str]":
    from mailraven.cli.desired import perform

    if change.action == "unchanged":
        return change, "unchanged", ""
    try:
        perform(session.api, change)
    except CommandError as error:
        return change, "failed", str(error)
    return change, change.action, ""


def _would_change(changes: "Sequence[Change]") -> int:
    return FAILED if any(change.action != "unchanged" for change in changes) else 0


def _show(session: Session, changes: "Sequence[Change]") -> None:
    """The differences, in colour on a terminal."""
    if not session.output.is_table:
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False) if sys.stdout.isatty() else None
    for change in changes:
        for line in change.lines():
            if console is None:
                typer.echo(clean(line))
            else:
                style = "bold" if line.startswith(("+++", "---")) else _COLOURS.get(line[:1], "")
                console.print(Text(clean(line), style=style), soft_wrap=True)


def _report(session: Session, done: "Sequence[tuple[Change, str, str]]", *, dry_run: bool) -> None:
    count = Counter(action for _, action, _ in done)
    if not session.output.is_table:
        session.output.done("", _document(done, count, dry_run=dry_run))
        return
    suffix = " (dry run)" if dry_run else ""
    for change, action, _ in done:
        session.output.line(f"{change.title} {action}{suffix}")
    counted = ", ".join(f"{count[action]} {action}" for action in _ACTIONS if count[action])
    if len(done) > 1:
        session.output.line(f"{counted}{suffix}")


def _document(done: "Sequence[tuple[Change, str, str]]", count: Counter[str], *, dry_run: bool) -> dict[str, Any]:
    resources = [
        {
            "kind": change.kind,
            "name": change.name,
            "action": action,
            "before": change.before,
            "after": change.after,
            **({"problem": problem} if problem else {}),
        }
        for change, action, problem in done
    ]
    return {"dry_run": dry_run, **{action: count[action] for action in _ACTIONS}, "resources": resources}
