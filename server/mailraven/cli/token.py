"""`mailraven token`: service credentials of the admin API."""

from typing import Annotated

import typer

from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data

app = typer.Typer(help="Bearer tokens of the admin API.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("add")
def add(name: Name, data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Make a token and print it; it cannot be shown again.

    Example:  mailraven token add monitoring
    """
    from mailraven.cli.directory import with_directory

    typer.echo(with_directory(data, config, assignments, lambda directory: directory.create_token(name)))


@app.command("delete")
def delete(name: Name, data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Delete a token: it is refused from now on.

    Example:  mailraven token delete monitoring
    """
    from mailraven.cli.directory import with_directory

    with_directory(data, config, assignments, lambda directory: directory.delete_token(name))
    typer.echo(f"deleted {name}")
