"""`mailraven domain`."""

from typing import Annotated

import typer

from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data

app = typer.Typer(help="Mail domains.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="DOMAIN")],
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Add a mail domain.

    Example:  mailraven domain add example.org
    """
    from mailraven.cli.directory import with_directory

    made = with_directory(data, config, assignments, lambda directory: directory.create_domain(name))
    typer.echo(f"added {made.name}")


@app.command("list")
def list_(data: Data = DEFAULT_DATA, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """List the mail domains, one a line.

    Example:  mailraven domain list --data ./data
    """
    from mailraven.cli.directory import with_directory
    from mailraven.directory import Directory, Domain

    async def read(directory: Directory) -> list[Domain]:
        found: list[Domain] = []
        while page := await directory.list_domains(after=found[-1].name if found else "", limit=1000):
            found += page
        return found

    for domain in with_directory(data, config, assignments, read):
        typer.echo(domain.name + ("\tsuspended" if domain.suspended else ""))
