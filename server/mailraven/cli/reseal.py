"""`mailraven reseal`: the end of a change of the master key."""

import asyncio
import os

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data
from mailraven.cli.problems import FAILED, complain, reported

app = Commands(single=True)


@app.command("reseal")
def reseal(data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Seal all private keys and TOTP secrets anew with the first master key. The server may run meanwhile.

    Before: set secrets.key_file to the new key and secrets.previous_key_files to the old one, and start the server
    anew. After: the old key can go.

    Example:  mailraven reseal --config mailraven.yaml
    """
    from mailraven.app import reseal as resealing
    from mailraven.app.access import open_dsn

    with reported(), open_dsn(data, config or (), os.environ, assignments or ()) as dsn:
        sealer = resealing.sealer_of(data, config or (), os.environ, assignments or ())
        done = asyncio.run(resealing.run(dsn, sealer))
    typer.echo(f"sealed {done.sealed} anew; {done.current} had the first key already")
    for problem in done.problems:
        complain(problem)
    if done.problems:
        raise typer.Exit(FAILED)
