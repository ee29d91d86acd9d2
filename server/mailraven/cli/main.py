"""All commands. Exit codes: 0 done, 1 a problem outside of the settings, 2 wrong usage or settings."""

import typer

from mailraven.cli import documentation, domain, migrate, serve, token, up, user, version

app = typer.Typer(
    name="mailraven",
    help="A mail server: SMTP, submission, queue and IMAP on Postgres and a blob store.",
    epilog="Start here:  mailraven up",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.add_typer(domain.app, name="domain")
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(documentation.app, name="docs")
app.command("version")(version.version)


def main() -> None:
    """The entry point of the package."""
    app()
