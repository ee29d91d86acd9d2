"""`mailraven user app-password`: passwords for single mail clients."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import addresses
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Days, Yes, option
from mailraven.cli.output import Column, moment
from mailraven.cli.problems import CommandError
from mailraven.cli.session import Session, online

app = Commands("Passwords for single mail clients; where a second factor is enforced, only these work there.")
Address = Annotated[str, typer.Argument(metavar="ADDRESS", autocompletion=addresses)]
_COLUMNS = (
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("PROTOCOLS", "protocols"),
    Column("LAST USED", "last_used_at", lambda value: moment(value) or "never"),
    Column("EXPIRES", "expires_at", lambda value: moment(value) or "never"),
)


@online(app, "add")
def add(
    session: Session,
    address: Address,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What will use it, such as phone.")],
    protocol: Annotated[
        list[str] | None, option("--protocol", metavar="PROTOCOL", help="smtp or imap; repeatable. [default: both]")
    ] = None,
    days: Days = None,
) -> None:
    """Make a password for a mail client and print it; it cannot be shown again.

    Example:  mailraven user app-password add ann@example.org phone
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.lifetime import expiry

    body: dict[str, Any] = {"name": name, **expiry(days)}
    if protocol:
        body["protocols"] = protocol
    found = session.api.post(path("accounts", address, "app-passwords"), body)
    session.output.done(f"added {found['name']} (id {found['id']})", found)
    session.output.line(f"password {found['password']}")


@online(app, "list")
def list_(session: Session, address: Address) -> None:
    """List a user's app passwords: id, name, protocols, last use, end.

    Example:  mailraven user app-password list ann@example.org
    """
    session.output.rows(_all(session, address), _COLUMNS, nothing="no app passwords")


@online(app, "delete")
def delete(
    session: Session,
    address: Address,
    name: Annotated[str, typer.Argument(metavar="NAME|ID")],
    yes: Yes = False,
) -> None:
    """Delete an app password: what uses it is logged out.

    Example:  mailraven user app-password delete ann@example.org phone --yes
    """
    from mailraven.cli.api_client import path

    wanted = [item for item in _all(session, address) if name in (item["name"], str(item["id"]))]
    if not wanted:
        raise CommandError(f"{address} has no app password {name}")
    confirm(f"Delete the app password {wanted[0]['name']} of {address}?", yes)
    session.api.delete(path("accounts", address, "app-passwords", str(wanted[0]["id"])))
    session.output.done(f"deleted {wanted[0]['name']}")


def _all(session: Session, address: str) -> list[dict[str, Any]]:
    from mailraven.cli.api_client import path

    return list(session.api.pages(path("accounts", address, "app-passwords")))
