"""`mailraven up`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data
from mailraven.cli.problems import reported


def up(
    data: Data = DEFAULT_DATA,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to listen. [default: 127.0.0.1]", show_default=False)
    ] = None,
    port_base: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65529,
            metavar="N",
            help="Use the ports N to N+6: SMTP, submission, submissions, IMAP, IMAPS, HTTP, health. 0: any free ones.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, metavar="N", help="Processes. [default: one a core]", show_default=False),
    ] = None,
    hostname: Annotated[
        str | None, typer.Option(metavar="NAME", help="The server's name. [default: the machine's]", show_default=False)
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(metavar="DOMAIN", help="A mail domain to make. [first start: example.test]", show_default=False),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="A user to make; repeatable. [first start: alice and bob]", show_default=False
        ),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Write addresses and credentials as JSON when all accept.", show_default=False
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
