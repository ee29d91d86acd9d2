"""A password comes from the terminal, a file or a generator, never from the arguments: those are for all to see."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mailraven.cli.problems import CommandError, UsageProblem

PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read the password from FILE (- is the standard input).", show_default=False),
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it.")]


def new_password(file: Path | None, generate: bool) -> str:
    """As the options say, else asked for twice."""
    if generate and file is not None:
        raise UsageProblem("--generate and --password-file exclude each other")
    if generate:
        from mailraven.app.first_start import generate_password

        return generate_password()
    if file is not None:
        return _read(file)
    if not sys.stdin.isatty():
        raise UsageProblem("no terminal to ask for a password: use --password-file or --generate")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


def _read(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CommandError(f"--password-file {file}: {reason}") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise CommandError(f"--password-file {file}: empty")
    return password
