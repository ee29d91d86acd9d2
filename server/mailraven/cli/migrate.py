"""`mailraven migrate`."""

import asyncio
import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, option
from mailraven.cli.problems import UsageProblem, complain, reported

if TYPE_CHECKING:
    from mailraven.db.migrate import Migration

_PAUSE_SECONDS = 1.0
app = Commands(single=True)
Wait = Annotated[
    str, option("--wait", metavar="DURATION", help="Try so long while the database does not answer. [default: once]")
]


@app.command("migrate")
def migrate(
    wait: Wait = "0s", data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None
) -> None:
    """Bring the database to this version's schema. Safe to run again and at the same time from anywhere.

    Example:  MAILRAVEN_DATABASE__URL=postgresql://mailraven@db/mailraven mailraven migrate
    """
    from mailraven.app.access import open_dsn

    with reported():
        seconds = _seconds(wait)
        with open_dsn(data, config or (), os.environ, assignments or ()) as dsn:
            applied = asyncio.run(_apply(dsn, seconds))
    for migration in applied:
        typer.echo(f"applied {migration.version:04} {migration.name}")
    if not applied:
        typer.echo("the schema is current")


async def _apply(dsn: str, seconds: float) -> "list[Migration]":
    from mailraven.db import DatabaseUnavailable
    from mailraven.db import migrate as apply

    deadline, told = time.monotonic() + seconds, ""
    while True:
        try:
            return await apply(dsn)
        except DatabaseUnavailable as error:
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                raise
            if str(error) != told:
                told = str(error)
                complain(f"waiting: {told}")
        await asyncio.sleep(_PAUSE_SECONDS)


def _seconds(text: str) -> float:
    from mailraven.config.units import parse_duration

    try:
        return float(str(parse_duration(text)))
    except ValueError as error:
        raise UsageProblem(f"--wait: {error}") from None
