"""`mailraven version`."""

import typer

from mailraven import __version__


def version() -> None:
    """Print the version.

    Example:  mailraven version
    """
    typer.echo(f"mailraven {__version__}")
