"""How a problem ends a command: a line on stderr, and the exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

FAILED = 1
USAGE = 2


class CommandError(Exception):
    """Something that a command found wrong; its text is for the person who called it."""

    code = FAILED


class UsageProblem(CommandError):
    """The command was called wrongly."""

    code = USAGE


def complain(text: str) -> None:
    """A problem, on stderr."""
    from mailraven.cli.plain import clean

    for line in text.splitlines() or [""]:
        typer.echo(f"mailraven: {clean(line)}", err=True)


@contextmanager
def reported() -> Iterator[None]:
    """Expected errors become a message; anything else is a defect and keeps its trace."""
    try:
        yield
    except CommandError as error:
        complain(str(error))
        raise typer.Exit(error.code) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        from mailraven.config import ConfigError  # heavy, and only needed here

        if isinstance(error, ConfigError):
            for problem in error.problems:
                complain(problem)
            raise typer.Exit(USAGE) from None
        from mailraven.app.expected import EXPECTED

        if not isinstance(error, EXPECTED):
            raise
        complain(str(error))
        raise typer.Exit(FAILED) from None
