"""`mailraven migrate`."""

import asyncio
import os

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data
from mailraven.cli.problems import reported

app = Commands(single=True)


@app.command("migrate")
def migrate(data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Bring the database to this version's schema. Safe to run again and at the same time from anywhere.

    Example:  MAILRAVEN_DATABASE__URL=postgresql://mailraven@db/mailraven mailraven migrate
    """
    from mailraven.app.access import open_dsn
    from mailraven.db import migrate as apply

    with reported(), open_dsn(data, config or (), os.environ, assignments or ()) as dsn:
        applied = asyncio.run(apply(dsn))
    for migration in applied:
        typer.echo(f"applied {migration.version:04} {migration.name}")
    if not applied:
        typer.echo("the schema is current")
