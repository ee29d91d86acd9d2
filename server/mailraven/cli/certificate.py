"""`mailraven ssl`: the certificates that the server shows, by SNI."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes, option
from mailraven.cli.output import Column, moment
from mailraven.cli.problems import FAILED, CommandError, complain
from mailraven.cli.session import Session, online

app = Commands("TLS certificates: how long they last, new ones.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the store calls it.")]
_SOON = 14  # days
_MOST = 1 << 20


def _state(certificate: dict[str, Any]) -> str:
    if certificate["days_left"] < 0:
        return "expired"
    return "ends soon" if certificate["days_left"] < _SOON else "ok"


_COLUMNS = (
    Column("NAME", "name"),
    Column("STATE", _state),
    Column("DAYS LEFT", "days_left"),
    Column("ENDS", "not_after", moment),
    Column("KEY", "key_type"),
    Column("FOR", "names", wide=True),
    Column("ISSUER", "issuer", wide=True),
)


@online(app, "status")
def status(session: Session) -> None:
    """List the certificates with the days they have left. Warns under 14; exit code 1 if one is over.

    Example:  mailraven ssl status
    """
    from mailraven.cli.api_client import path

    found = list(session.api.pages(path("certificates")))
    session.output.rows(found, _COLUMNS, nothing="no certificate uploaded: that of tls.cert_file is shown")
    over = False
    for certificate in found:
        state = _state(certificate)
        if state == "ends soon":
            complain(f"warning: {certificate['name']} ends in {certificate['days_left']} days")
        elif state == "expired":
            over = True
            complain(f"{certificate['name']} ended on {certificate['not_after']}")
    if over:
        raise typer.Exit(FAILED)


@online(app, "show")
def show(session: Session, name: Name) -> None:
    """Show a certificate with its chain.

    Example:  mailraven ssl show mail
    """
    from mailraven.cli.api_client import path

    session.output.one(session.api.get(path("certificates", name)))


@online(app, "upload")
def upload(
    session: Session,
    name: Name,
    cert: Annotated[Path, option("--cert", metavar="FILE", help="The chain in PEM, the server's own first.")],
    key: Annotated[Path, option("--key", metavar="FILE", help="Its private key in PEM, without a pass phrase.")],
) -> None:
    """Upload a certificate, or replace one: it is served at once, no connection breaks. A bad one is refused.

    Example:  mailraven ssl upload mail --cert fullchain.pem --key privkey.pem
    """
    from mailraven.cli.api_client import path

    body = {"chain": _read(cert, "--cert"), "private_key": _read(key, "--key")}
    found = session.api.put(path("certificates", name), body)
    session.output.done(f"{found['name']}: {', '.join(found['names'])}, {found['days_left']} days left", found)
    for warning in found.get("warnings") or ():
        complain(f"warning: {warning}")


@online(app, "delete")
def delete(session: Session, name: Name, yes: Yes = False) -> None:
    """Delete a certificate; its names get another one that fits, or the server's own.

    Example:  mailraven ssl delete old --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Delete the certificate {name}?", yes)
    session.api.delete(path("certificates", name))
    session.output.done(f"deleted {name}")


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not PEM"
        raise CommandError(f"{what} {path}: {reason}") from None
