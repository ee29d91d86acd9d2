"""All commands. Exit codes: 0 done, 1 a problem was found, 2 wrong usage or settings."""

from typing import Annotated

import typer

from mailraven import __version__
from mailraven.cli.groups import Entry, Root

_SERVER, _MAIL, _SECURITY, _OPERATIONS = "Server", "Mail", "Security", "Operations"
ENTRIES = (
    Entry("up", "up", _SERVER, "Run everything on this machine, with its own Postgres"),
    Entry("serve", "serve", _SERVER, "Run chosen roles against a Postgres of yours"),
    Entry("migrate", "migrate", _SERVER, "Bring the database to this version's schema"),
    Entry("status", "status", _SERVER, "Is it well, and what does it do: health, queue, totals"),
    Entry("health", "health", _SERVER, "Is the server of these settings ready: for health checks"),
    Entry("version", "version", _SERVER, "The version of this program"),
    Entry("domain", "domain", _MAIL, "Domains and the template of new ones"),
    Entry("user", "user", _MAIL, "Accounts: passwords, quotas, app passwords"),
    Entry("alias", "alias", _MAIL, "Other addresses, and where they lead"),
    Entry("queue", "queue", _MAIL, "Outgoing mail: look, hold, release, retry, cancel"),
    Entry("trace", "trace", _MAIL, "Where is my mail: the way of a message or of an address"),
    Entry("dkim", "dkim", _SECURITY, "Signing keys: create, rotate, show the DNS record"),
    Entry("dns", "dns", _SECURITY, "The DNS records a domain needs, and whether they are there"),
    Entry("ssl", "certificate", _SECURITY, "TLS certificates: how long they last, new ones"),
    Entry("security", "security", _SECURITY, "Banned addresses and limits"),
    Entry("admin", "admin", _SECURITY, "Who may administer what"),
    Entry("token", "token", _SECURITY, "Bearer tokens of the HTTP API"),
    Entry("backup", "backup", _OPERATIONS, "Backups: make, list, verify, delete old ones"),
    Entry("restore", "restore", _OPERATIONS, "Bring back a backup, whole or in parts"),
    Entry("verify", "verify", _OPERATIONS, "Is the data whole, and can the server do its work"),
    Entry("apply", "apply", _OPERATIONS, "Make it as manifests say: the YAML of Kubernetes"),
    Entry("diff", "apply", _OPERATIONS, "What `apply` would change", app="diff_app"),
    Entry("reseal", "reseal", _OPERATIONS, "Seal stored secrets anew after a change of the master key"),
    Entry("delete", "delete", _OPERATIONS, "Delete what manifests name"),
    Entry("config", "config", _OPERATIONS, "Settings that change while the server runs"),
    Entry("audit", "audit", _OPERATIONS, "Who did what, from where, and what it changed"),
    Entry("docs", "documentation", _OPERATIONS, "Documentation that is generated from the program"),
)

_HELP = """A mail server: SMTP, submission, queue and IMAP on Postgres and a blob store.

Commands that talk to a running server find it by the data directory of `mailraven up` (--data), or by the variables
MAILRAVEN_URL and MAILRAVEN_TOKEN. Each has a page of its own: `mailraven COMMAND --help`.
"""

app = typer.Typer(
    name="mailraven",
    cls=Root.of(ENTRIES),
    help=_HELP,
    epilog="Start here:  mailraven up",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailraven {__version__}")
        raise typer.Exit


@app.callback()
def _mailraven(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Makes it a group."""


def main() -> None:
    """The entry point of the package."""
    app()
