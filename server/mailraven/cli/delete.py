"""`mailraven delete`: what manifests name, the other way round."""

from typing import TYPE_CHECKING, Any

import typer

from mailraven.cli.apply import Files
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes
from mailraven.cli.problems import FAILED, CommandError, UsageProblem, complain
from mailraven.cli.session import Session, online

if TYPE_CHECKING:
    from mailraven.cli.manifests import Manifest

app = Commands(single=True)
_NOT_FOUND = 404


@online(app, "delete")
def delete(session: Session, file: Files = None, yes: Yes = False) -> None:
    """Delete the policies, users with their aliases, and domains that manifests name. Users who have mail stay, and so
    do their domains: `mailraven user delete` deletes mail.

    Example:  mailraven delete -f examples/limits.yaml --yes
    """
    from mailraven.cli.manifests import read_manifests

    if not file:
        raise UsageProblem("name what to delete with --file (-f): a file, a directory, or - for the standard input")
    manifests = read_manifests(file).items[::-1]
    confirm(f"Delete {', '.join(manifest.title for manifest in manifests)}?", yes)
    done: list[dict[str, Any]] = []
    problems: list[str] = []
    for manifest in manifests:
        try:
            action = _delete(session, manifest)
        except CommandError as error:
            action = "failed"
            problems.append(f"{manifest.where}: {manifest.title}: {error}")
        done.append({"kind": manifest.resource.kind, "name": manifest.name, "action": action})
        session.output.line(f"{manifest.title} {action}")
    if not session.output.is_table:
        session.output.done("", {"resources": done})
    for problem in problems:
        complain(problem)
    if problems:
        raise typer.Exit(FAILED)


def _delete(session: Session, manifest: "Manifest") -> str:
    from mailraven.cli.api_client import ApiError
    from mailraven.cli.desired import places_of

    action = "not found"
    for place in places_of(manifest):
        try:
            session.api.delete(place)
            action = "deleted"
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
    return action
