"""`mailraven token`: service credentials of the HTTP API."""

from typing import Annotated, Any

import typer

from mailraven.cli.connection import NOT_RUNNING
from mailraven.cli.groups import Commands
from mailraven.cli.options import Days, option
from mailraven.cli.output import Column, moment
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

app = Commands("Bearer tokens of the HTTP API.")
Name = Annotated[str, typer.Argument(metavar="NAME")]
_COLUMNS = (
    Column("NAME", "name"),
    Column("ROLE", "role"),
    Column("SCOPES", "scopes"),
    Column("LAST USED", "last_used_at", lambda value: moment(value) or "never"),
    Column("EXPIRES", "expires_at", lambda value: moment(value) or "never"),
    Column("FOR", lambda row: row["account"] or row["domains"]),
)


@online(app, "add", offline=True)
def add(
    session: Session,
    name: Name,
    role: Annotated[
        str | None, option("--role", metavar="ROLE", help="super-admin or domain-admin. [default: super-admin]")
    ] = None,
    domain: Annotated[
        list[str] | None, option("--domain", metavar="DOMAIN", help="That a domain-admin administers; repeatable.")
    ] = None,
    scope: Annotated[
        list[str] | None, option("--scope", metavar="SCOPE", help="read, or such as queue:write. [default: everything]")
    ] = None,
    account: Annotated[str | None, option("--account", metavar="ADDRESS", help="It acts as this account.")] = None,
    days: Days = None,
) -> None:
    """Make a token and print it; it cannot be shown again.

    Example:  mailraven token add monitoring --scope read --days 365
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.lifetime import expiry

    given = {"role": role, "domains": domain, "scopes": scope, "account": account}
    body = {key: value for key, value in given.items() if value} | expiry(days)
    if session.is_offline:
        if body:
            raise UsageProblem(f"options of a token need a server: {NOT_RUNNING}")
        secret = session.directory(lambda directory: directory.create_token(name), audit=("token.create", name))
        session.output.done(secret, {"name": name, "token": secret})
        return
    found: dict[str, Any] = session.api.post(path("tokens"), {"name": name, **body})
    session.output.done(found["token"], found)


@online(app, "list")
def list_(session: Session) -> None:
    """List the tokens: role, scopes, last use, end, and the account or domains it is for.

    Example:  mailraven token list
    """
    from mailraven.cli.api_client import path

    session.output.rows(session.api.pages(path("tokens")), _COLUMNS, nothing="no tokens")


@online(app, "rotate")
def rotate(session: Session, name: Name) -> None:
    """Replace a token by a new secret of the same name, and print it. The old one is refused from now on.

    Example:  mailraven token rotate monitoring
    """
    from mailraven.cli.api_client import path

    found = session.api.post(path("tokens", name, "rotate"))
    session.output.done(found["token"], found)


@online(app, "delete", offline=True)
def delete(session: Session, name: Name) -> None:
    """Delete a token: it is refused from now on.

    Example:  mailraven token delete monitoring
    """
    from mailraven.cli.api_client import path

    if session.is_offline:
        session.directory(lambda directory: directory.delete_token(name), audit=("token.delete", name))
    else:
        session.api.delete(path("tokens", name))
    session.output.done(f"deleted {name}")
