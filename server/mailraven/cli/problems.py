"""How a problem ends a command: its text on stderr, and the exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mailraven.config import ConfigError

FAILED = 1
USAGE = 2


@contextmanager
def reported() -> Iterator[None]:
    """Expected errors become a message; anything else is a defect and keeps its trace."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(f"mailraven: {problem}", err=True)
        raise typer.Exit(USAGE) from None
    except Exception as error:
        from mailraven.app.expected import EXPECTED  # heavy, and only needed here

        if not isinstance(error, EXPECTED):
            raise
        typer.echo(f"mailraven: {error}", err=True)
        raise typer.Exit(FAILED) from None
