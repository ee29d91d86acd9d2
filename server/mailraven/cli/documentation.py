"""`mailraven docs`: documentation that is generated from the program."""

import typer

app = typer.Typer(help="Documentation that is generated from the program.", no_args_is_help=True)


@app.callback()
def docs() -> None:
    """Documentation that is generated from the program."""


@app.command("configuration")
def configuration() -> None:
    """Print every setting with its variable, default and meaning, as Markdown.

    Example:  mailraven docs configuration > docs/configuration.md
    """
    from mailraven.config.documentation import render

    typer.echo(render(), nl=False)
