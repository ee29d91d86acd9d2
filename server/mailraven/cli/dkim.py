"""`mailraven dkim`: signing keys of a domain (RFC 6376)."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import domain_names
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes, option
from mailraven.cli.output import Column, moment
from mailraven.cli.problems import CommandError
from mailraven.cli.session import Session, online

app = Commands("DKIM keys: pending until published, active while they sign, retired after that.")
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", autocompletion=domain_names)]
SelectorArgument = Annotated[str, typer.Argument(metavar="SELECTOR")]
_COLUMNS = (
    Column("SELECTOR", "selector"),
    Column("ALGORITHM", "algorithm"),
    Column("BITS", "key_size"),
    Column("STATE", "state"),
    Column("CREATED", "created_at", moment),
    Column("PUBLISHED UNTIL", "published_until", moment),
)


@online(app, "list")
def list_(session: Session, domain: Domain) -> None:
    """List the keys of a domain, the oldest first.

    Example:  mailraven dkim list example.org
    """
    session.output.rows(_keys(session, domain), _COLUMNS, nothing="no keys")


@online(app, "create")
def create(
    session: Session,
    domain: Domain,
    algorithm: Annotated[
        str, option("--algorithm", metavar="ALGORITHM", help="rsa or ed25519. [default: rsa]")
    ] = "rsa",
    bits: Annotated[
        int | None, option("--bits", metavar="N", help="Of an RSA key: 2048, 3072 or 4096. [default: the domain's]")
    ] = None,
    selector: Annotated[
        str | None, option("--selector", metavar="NAME", help="[default: dated, such as mr202611a]")
    ] = None,
) -> None:
    """Make a pending key: publish its record, then activate it.

    Example:  mailraven dkim create example.org --bits 4096
    """
    from mailraven.cli.api_client import path

    body: dict[str, Any] = {"algorithm": algorithm, "key_size": bits, "selector": selector}
    found = session.api.post(path("domains", domain, "dkim"), body)
    session.output.done(f"made {found['selector']} (pending); publish this, then activate it:", found)
    _publish(session, [found])


@online(app, "rotate")
def rotate(session: Session, domain: Domain) -> None:
    """Make a pending key beside each active one, of the same kind; activate it when its record is published.

    Example:  mailraven dkim rotate example.org
    """
    from mailraven.cli.api_client import path

    found = session.api.post(path("domains", domain, "dkim", "rotate"))
    keys = found["items"]
    names = ", ".join(key["selector"] for key in keys)
    session.output.done(f"made {names} (pending); publish this, then `mailraven dkim activate`:", found)
    _publish(session, keys)


@online(app, "activate")
def activate(
    session: Session,
    domain: Domain,
    selector: SelectorArgument,
    force: Annotated[bool, typer.Option("--force", help="Even if its record is not in the DNS.")] = False,
) -> None:
    """Sign with a key from now on; the one before retires. Its record has to be published first.

    Example:  mailraven dkim activate example.org mr202611a
    """
    from mailraven.cli.api_client import path

    found = session.api.post(path("domains", domain, "dkim", selector, "activate"), force=force)
    session.output.done(f"{selector} signs now", found)


@online(app, "retire")
def retire(session: Session, domain: Domain, selector: SelectorArgument, yes: Yes = False) -> None:
    """Sign with a key no more. Its record has to stay for a week: signed mail may still be on its way.

    Example:  mailraven dkim retire example.org mr202611a --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Sign with {selector} of {domain} no more?", yes)
    found = session.api.post(path("domains", domain, "dkim", selector, "retire"))
    session.output.done(f"{selector} signs no more", found)


@online(app, "delete")
def delete(session: Session, domain: Domain, selector: SelectorArgument, yes: Yes = False) -> None:
    """Delete a key that does not sign.

    Example:  mailraven dkim delete example.org mr202611a --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Delete the key {selector} of {domain}?", yes)
    session.api.delete(path("domains", domain, "dkim", selector))
    session.output.done(f"deleted {selector}")


@online(app, "show-record")
def show_record(
    session: Session,
    domain: Domain,
    selector: Annotated[str | None, typer.Argument(metavar="SELECTOR")] = None,
) -> None:
    """Print the DNS records of a domain's keys, ready for a zone file.

    Example:  mailraven dkim show-record example.org
    """
    keys = _keys(session, domain)
    chosen = [key for key in keys if selector in (None, key["selector"])]
    if not chosen:
        raise CommandError(f"{domain} has no key {selector}" if selector else f"{domain} has no DKIM key")
    if session.output.is_table:
        _publish(session, chosen)
    else:
        session.output.rows([key["record"] for key in chosen], (), nothing="")


def _keys(session: Session, domain: str) -> list[dict[str, Any]]:
    from mailraven.cli.api_client import path

    found: list[dict[str, Any]] = session.api.get(path("domains", domain, "dkim"))["items"]
    return found


def _publish(session: Session, keys: list[dict[str, Any]]) -> None:
    for key in keys:
        record = key["record"]
        strings = " ".join(f'"{part}"' for part in record["strings"])
        session.output.line(f"{record['name']}. {record['ttl']} IN {record['type']} {strings}")
