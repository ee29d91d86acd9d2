"""`mailraven up`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, Workers, option
from mailraven.cli.problems import reported

_PORTS = "Ports N to N+6: SMTP, submission, submissions, IMAP, IMAPS, HTTP, health. 0: any free ones."
app = Commands(single=True)


@app.command("up")
def up(
    data: Data = DEFAULT_DATA,
    host: Annotated[str | None, option(metavar="ADDRESS", help="Where to listen. [default: 127.0.0.1]")] = None,
    port_base: Annotated[int | None, option(min=0, max=65529, metavar="N", help=_PORTS)] = None,
    workers: Workers = None,
    hostname: Annotated[str | None, option(metavar="NAME", help="The server's name. [default: the machine's]")] = None,
    domain: Annotated[str | None, option(metavar="DOMAIN", help="Add a domain. [first start: example.test]")] = None,
    user: Annotated[
        list[str] | None, option(metavar="ADDRESS", help="Add a user; repeatable. [first start: alice and bob]")
    ] = None,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Make no demo users at the first start.")] = False,
    ready_file: Annotated[
        Path | None,
        option(
            metavar="PATH",
            help="When all accept, write addresses and credentials here as JSON; new users' passwords only.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary (and so no passwords).")] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Run everything on this machine: SMTP, submission, queue, IMAP and HTTP, with its own Postgres.

    Example:  mailraven up --data ./data --user ann@example.test
    """
    from mailraven.app.up import UpOptions
    from mailraven.app.up import up as run

    options = UpOptions(
        data=data,
        files=tuple(config or ()),
        host=host,
        port_base=port_base,
        workers=workers,
        hostname=hostname,
        domain=domain,
        users=tuple(user or ()),
        demo=not no_demo,
        ready_file=ready_file,
        assignments=tuple(assignments or ()),
        console=sys.stderr.isatty(),
    )
    with reported():
        code = run(options, os.environ, _silent if quiet else _show)
    raise typer.Exit(code)


def _show(running: object) -> None:
    from mailraven.cli.summary import show

    show(running)  # type: ignore[arg-type]


def _silent(_running: object) -> None:
    return
