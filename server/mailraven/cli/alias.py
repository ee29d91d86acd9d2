"""`mailraven alias`."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import domain_names
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes
from mailraven.cli.output import Column
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

app = Commands("Aliases: other addresses, and where they lead. `*@DOMAIN` is the catch-all.")
Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="The whole address.")]
COLUMNS = (Column("ALIAS", "address"), Column("TARGETS", "targets"))


@online(app, "add")
def add(
    session: Session,
    alias: Alias,
    targets: Annotated[list[str], typer.Argument(metavar="TARGET", help="Addresses, here or elsewhere.")],
) -> None:
    """Make an alias, or set where it leads.

    Example:  mailraven alias add sales@example.org ann@example.org bob@example.org
    """
    found = session.api.put(_where(alias), {"targets": targets})
    session.output.done(f"{found['address']} leads to {', '.join(found['targets'])}", found)


@online(app, "list")
def list_(
    session: Session,
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", autocompletion=domain_names)] = None,
) -> None:
    """List aliases and their targets, of one domain or of all.

    Example:  mailraven alias list example.org
    """
    session.output.rows(all_aliases(session, domain), COLUMNS, nothing="no aliases")


@online(app, "delete")
def delete(session: Session, alias: Alias, yes: Yes = False) -> None:
    """Delete an alias.

    Example:  mailraven alias delete sales@example.org --yes
    """
    confirm(f"Delete the alias {alias}?", yes)
    session.api.delete(_where(alias))
    session.output.done(f"deleted {alias}")


def all_aliases(session: Session, domain: str | None) -> list[dict[str, Any]]:
    """Of a domain, or of all."""
    from mailraven.cli.api_client import path

    domains = [domain] if domain else [item["name"] for item in session.api.pages(path("domains"))]
    return [row for name in domains for row in session.api.pages(path("domains", name, "aliases"))]


def _where(alias: str) -> str:
    from mailraven.cli.api_client import path

    localpart, at, domain = alias.rpartition("@")
    if not at or not localpart or not domain:
        raise UsageProblem(f"{alias!r}: expected a whole address, such as sales@example.org")
    return path("domains", domain, "aliases", "*" if localpart == "*" else alias)
