"""`mailraven version`."""

import typer

from mailraven import __version__
from mailraven.cli.groups import Commands

app = Commands(single=True)


@app.command("version")
def version() -> None:
    """Print the version of this program; `mailraven status` has that of the server.

    Example:  mailraven version
    """
    typer.echo(f"mailraven {__version__}")
