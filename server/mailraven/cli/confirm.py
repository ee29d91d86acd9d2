"""Asking before something is destroyed."""

import sys

import typer

from mailraven.cli.problems import CommandError, UsageProblem


def confirm(question: str, yes: bool) -> None:
    """Returns when the answer is yes. Without a terminal only --yes is one."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageProblem(f"{question} There is no terminal to ask on: say --yes")
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was changed")
