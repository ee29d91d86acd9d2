"""`mailraven user`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailraven.cli import app_password
from mailraven.cli.complete import addresses, domain_names
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes, option
from mailraven.cli.output import Column, size
from mailraven.cli.passwords import Generate, PasswordFile, new_password
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

if TYPE_CHECKING:
    from mailraven.directory import Directory

app = Commands("Users: accounts with mailboxes and a password.")
app.add_typer(app_password.app, name="app-password")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", autocompletion=addresses)]
Protocols = Annotated[
    list[str] | None,
    option("--protocol", metavar="PROTOCOL", help="Only smtp, imap, http, or receive (mail to it); repeatable."),
]


def _status(account: dict[str, Any]) -> str:
    if account.get("suspended"):
        return "suspended"
    if account.get("sending_held"):
        return "held"
    return "no " + ", ".join(account["disabled"]) if account.get("disabled") else "active"


_COLUMNS = (
    Column("ADDRESS", "address"),
    Column("USED", "used_bytes", size),
    Column("QUOTA", "quota_bytes", lambda value: size(value) or "none"),
    Column("STATUS", _status),
    Column("ROLE", "role"),
)


@online(app, "add", offline=True)
def add(
    session: Session,
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    password_file: PasswordFile = None,
    generate: Generate = False,
    display_name: Annotated[str | None, option("--name", metavar="NAME", help="The person's name.")] = None,
    quota: Annotated[
        str | None, option("--quota", metavar="SIZE", help="Such as 2GiB. [default: the domain's]")
    ] = None,
) -> None:
    """Add a user; the domain has to be there.

    Example:  mailraven user add ann@example.org --generate
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import octets

    password = new_password(password_file, generate)
    fields: dict[str, Any] = {} if display_name is None else {"display_name": display_name}
    if quota is not None:
        fields["quota_bytes"] = octets(quota)
    if session.is_offline:
        made = session.directory(
            lambda directory: directory.create_account(address, password, **fields), audit=("account.create", address)
        )
        found: dict[str, Any] = {"address": str(made.address)}
    else:
        found = session.api.post(path("accounts"), {"address": address, "password": password, **fields})
    session.output.done(f"added {found['address']}", found | ({"password": password} if generate else {}))
    if generate:
        session.output.line(f"password {password}")


@online(app, "passwd", offline=True)
def passwd(session: Session, address: Address, password_file: PasswordFile = None, generate: Generate = False) -> None:
    """Set a user's password. Open sessions of the user end.

    Example:  mailraven user passwd ann@example.org
    """
    from mailraven.cli.api_client import path

    password = new_password(password_file, generate)
    if session.is_offline:
        session.directory(
            lambda directory: directory.set_password(address, password), audit=("account.password", address)
        )
    else:
        session.api.put(path("accounts", address, "password"), {"password": password})
    document = {"address": address, **({"password": password} if generate else {})}
    session.output.done(f"changed the password of {address}", document)
    if generate:
        session.output.line(f"password {password}")


@online(app, "list", offline=True)
def list_(
    session: Session,
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", autocompletion=domain_names)] = None,
) -> None:
    """List users with their space in octets, of one domain or of all.

    Example:  mailraven user list example.org
    """
    from mailraven.cli.api_client import path

    if session.is_offline:
        rows = session.directory(lambda directory: _stored(directory, domain))
        session.output.rows(rows, _COLUMNS[:4], nothing="no users")
        return
    session.output.rows(session.api.pages(path("accounts"), domain=domain), _COLUMNS, nothing="no users")


async def _stored(directory: "Directory", domain: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    names = [domain] if domain else [item.name for item in await directory.list_domains(limit=1000)]
    for name in names:
        last = ""
        while page := await directory.list_accounts(name, after=last, limit=1000):
            found += [
                {
                    "address": str(account.address),
                    "used_bytes": account.used_bytes,
                    "quota_bytes": account.quota_bytes,
                    "suspended": account.suspended,
                }
                for account in page
            ]
            last = str(page[-1].address)
    return found


@online(app, "show")
def show(session: Session, address: Address) -> None:
    """Show a user: settings, space used, state.

    Example:  mailraven user show ann@example.org
    """
    from mailraven.cli.api_client import path

    session.output.one(session.api.get(path("accounts", address)))


@online(app, "set")
def set_(
    session: Session,
    address: Address,
    changes: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="Such as quota_bytes=2GiB or display_name=Ann.")
    ],
) -> None:
    """Change fields of a user; what is not named stays.

    Example:  mailraven user set ann@example.org quota_bytes=2GiB labels.team=sales
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import document

    body = document(changes)
    if "password" in body:
        raise UsageProblem("a password is never an argument: use `mailraven user passwd`")
    found = session.api.patch(path("accounts", address), body)
    session.output.done(f"changed {found['address']}", found)


@online(app, "suspend")
def suspend(session: Session, address: Address, protocol: Protocols = None) -> None:
    """Suspend a user: no login, no mail. With --protocol only that stops working.

    Example:  mailraven user suspend ann@example.org --protocol imap
    """
    _stand(session, address, protocol, suspended=True)


@online(app, "resume")
def resume(session: Session, address: Address, protocol: Protocols = None) -> None:
    """Let a suspended user, or one protocol, work again.

    Example:  mailraven user resume ann@example.org
    """
    _stand(session, address, protocol, suspended=False)


@online(app, "release")
def release(session: Session, address: Address) -> None:
    """Let a user send again whose mail is held because it looked like that of a stolen account.

    Example:  mailraven user release ann@example.org
    """
    from mailraven.cli.api_client import path

    found = session.api.post(path("accounts", address, "release-sending"))
    session.output.done(f"{address} sends again; {found['released']} waiting recipients are tried now", found)
    if found["more"]:
        session.output.line("there are more: run it again")


def _stand(session: Session, address: str, protocols: list[str] | None, *, suspended: bool) -> None:
    from mailraven.cli.api_client import path

    where = path("accounts", address)
    if protocols:
        disabled = session.api.get(where)["disabled"]
        kept = [name for name in disabled if name not in protocols]
        body: dict[str, Any] = {"disabled": sorted({*kept, *protocols}) if suspended else kept}
    else:
        body = {"suspended": suspended}
    found = session.api.patch(where, body)
    session.output.done(f"{found['address']}: {_status(found)}", found)


@online(app, "delete")
def delete(session: Session, address: Address, yes: Yes = False) -> None:
    """Delete a user with all mail.

    Example:  mailraven user delete ann@example.org --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Delete {address} and all its mail?", yes)
    session.api.delete(path("accounts", address), delete_mail=True)
    session.output.done(f"deleted {address}")


@online(app, "aliases")
def aliases(session: Session, address: Address) -> None:
    """List the aliases that lead to a user.

    Example:  mailraven user aliases ann@example.org
    """
    from mailraven.cli.alias import COLUMNS, all_aliases
    from mailraven.cli.api_client import path

    own = session.api.get(path("accounts", address))["address"]
    rows = [row for row in all_aliases(session, None) if own in row["targets"]]
    session.output.rows(rows, COLUMNS, nothing="no aliases")
