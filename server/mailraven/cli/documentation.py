"""`mailraven docs`: documentation that is generated from the program."""

import typer

from mailraven.cli.groups import Commands

app = Commands("Documentation that is generated from the program.")


@app.command("configuration")
def configuration() -> None:
    """Print every setting with its variable, default and meaning, as Markdown.

    Example:  mailraven docs configuration > docs/configuration.md
    """
    from mailraven.config.documentation import render

    typer.echo(render(), nl=False)


@app.command("cli")
def cli() -> None:
    """Print every command with its options, as Markdown.

    Example:  mailraven docs cli > docs/cli.md
    """
    from mailraven.cli.main import app as program
    from mailraven.cli.reference import render

    typer.echo(render(program), nl=False)


@app.command("openapi")
def openapi() -> None:
    """Print the description of the HTTP API as OpenAPI 3.1.

    Example:  mailraven docs openapi > docs/openapi.json
    """
    from mailraven.adminapi.api import make_routes
    from mailraven.adminapi.openapi import render

    typer.echo(render(make_routes()), nl=False)
