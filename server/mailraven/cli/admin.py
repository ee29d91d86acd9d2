"""`mailraven admin`: who may administer what."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import addresses
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes, option
from mailraven.cli.output import Column
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

app = Commands("Who may administer what.")
Address = Annotated[str, typer.Argument(metavar="ADDRESS", autocompletion=addresses)]
_COLUMNS = (
    Column("ADDRESS", "address"),
    Column("ROLE", "role"),
    Column("DOMAINS", "domains", lambda value: ", ".join(value) if value else "all"),
    Column("SECOND FACTOR", "totp"),
)


@online(app, "list")
def list_(session: Session) -> None:
    """List the admins and the domains they administer.

    Example:  mailraven admin list
    """
    from mailraven.cli.api_client import path

    session.output.rows(session.api.pages(path("admins")), _COLUMNS, nothing="no admins; tokens still work")


@online(app, "grant")
def grant(
    session: Session,
    address: Address,
    domain: Annotated[
        list[str] | None, option("--domain", metavar="DOMAIN", help="Only this domain; repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--super", help="The whole server.")] = False,
) -> None:
    """Make a user an admin of domains (--domain) or of the whole server (--super).

    Example:  mailraven admin grant ann@example.org --domain example.org
    """
    from mailraven.cli.api_client import path

    if everything == bool(domain):
        raise UsageProblem("say either --domain DOMAIN or --super")
    body: dict[str, Any] = {"role": "super-admin"} if everything else {"role": "domain-admin", "domains": domain}
    found = session.api.put(path("admins", address), body)
    session.output.done(f"{found['address']} is {found['role']}", found)


@online(app, "revoke")
def revoke(session: Session, address: Address, yes: Yes = False) -> None:
    """Make an admin a plain user again.

    Example:  mailraven admin revoke ann@example.org --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Take the admin rights from {address}?", yes)
    session.api.delete(path("admins", address))
    session.output.done(f"{address} is no admin any more")


@online(app, "reset-totp")
def reset_totp(session: Session, address: Address, yes: Yes = False) -> None:
    """Remove the second factor of a user who has lost it; the password alone opens the account until it is set anew.

    Example:  mailraven admin reset-totp ann@example.org --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Remove the second factor of {address}?", yes)
    session.api.delete(path("accounts", address, "totp"))
    session.output.done(f"{address} has no second factor now")
