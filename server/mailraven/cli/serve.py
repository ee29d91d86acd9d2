"""`mailraven serve`."""

import os
from typing import Annotated

import typer

from mailraven.app.roles import ALL_ROLES, Role
from mailraven.cli.groups import Commands
from mailraven.cli.options import Assignments, ConfigFiles, Workers
from mailraven.cli.problems import reported

_ROLES = "mx, submission, imap, delivery, admin: one or more. [default: all]"
app = Commands(single=True)


@app.command("serve")
def serve(
    roles: Annotated[list[Role] | None, typer.Argument(metavar="ROLE", help=_ROLES, show_default=False)] = None,
    workers: Workers = None,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Run all roles, or some, against the settings (YAML files and MAILRAVEN_* variables, docs/configuration.md).

    Example:  mailraven serve mx submission --config /etc/mailraven/mailraven.yaml
    """
    from mailraven.app.serve import serve as run
    from mailraven.config import load

    with reported():
        given = {} if workers is None else {"workers": workers}
        code = run(load(config or (), os.environ, assignments or (), options=given), roles or ALL_ROLES)
    raise typer.Exit(code)
