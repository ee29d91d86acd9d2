"""`mailraven security`: banned addresses and limits."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import addresses
from mailraven.cli.groups import Commands
from mailraven.cli.options import Limit, option
from mailraven.cli.output import Column, moment, rates
from mailraven.cli.session import Session, online

app = Commands("Banned addresses and limits.")
Network = Annotated[str, typer.Argument(metavar="IP", help="An address, or a network such as 198.51.100.0/24.")]
_BANS = (
    Column("NETWORK", "network"),
    Column("UNTIL", "until", lambda value: moment(value) or "it is lifted"),
    Column("OFFENCES", "offences"),
    Column("BY", "created_by", lambda value: value or "server"),
    Column("REASON", "reason"),
)
_RATE = (
    Column("SCOPE", "scope"),
    Column("EVENT", "event"),
    Column("COUNT", "count"),
    Column("MINUTES", "window_minutes"),
)
_EFFECTIVE = (*_RATE, Column("ACTION", "action"), Column("FROM", "source"))
_USAGE = (
    *_RATE,
    Column("USED", "used"),
    Column("LEFT", "remaining"),
    Column("RESETS", "resets_at", moment),
    Column("FROM", "source"),
)
_POLICIES = (
    Column("POLICY", "name"),
    Column("SCOPE", lambda row: row["spec"]["scope"]),
    Column("EVENT", lambda row: row["spec"]["event"]),
    Column("LIMITS", lambda row: row["spec"]["limits"], rates),
    Column("ACTION", lambda row: row["spec"]["action"]),
    Column("PRIORITY", lambda row: row["spec"]["priority"]),
)


@online(app, "banned-ips")
def banned_ips(
    session: Session,
    past: Annotated[bool, typer.Option("--past", help="Also bans that are over: the memory of repeaters.")] = False,
    limit: Limit = 1000,
) -> None:
    """List the addresses that are refused.

    Example:  mailraven security banned-ips
    """
    from mailraven.cli.api_client import path

    session.output.rows(
        session.api.pages(path("bans"), limit=limit, past=past or None), _BANS, nothing="nobody is banned"
    )


@online(app, "ban")
def ban(
    session: Session,
    network: Network,
    minutes: Annotated[
        int | None, option("--minutes", min=1, metavar="N", help="For so long. [default: until it is lifted]")
    ] = None,
    reason: Annotated[str, option("--reason", metavar="TEXT", help="For those who look at it later.")] = "",
) -> None:
    """Refuse an address on all servers, within two seconds.

    Example:  mailraven security ban 198.51.100.7 --minutes 60
    """
    from mailraven.cli.api_client import path

    body: dict[str, Any] = {"network": network, "minutes": minutes, "reason": reason}
    found = session.api.post(path("bans"), body)
    session.output.done(f"banned {found['network']}", found)


@online(app, "unban")
def unban(session: Session, network: Network) -> None:
    """Let an address in again.

    Example:  mailraven security unban 198.51.100.7
    """
    from mailraven.cli.api_client import path

    session.api.delete(path("bans", network))
    session.output.done(f"{network} may come again")


@online(app, "limits")
def limits(
    session: Session,
    account: Annotated[str | None, typer.Argument(metavar="ADDRESS", autocompletion=addresses)] = None,
) -> None:
    """List the rate limit policies; with an address the limits that hold for this account, and where from.

    Example:  mailraven security limits ann@example.org
    """
    from mailraven.cli.api_client import path

    if account is None:
        session.output.rows(session.api.pages(path("limits", "policies")), _POLICIES, nothing="no policies")
    else:
        found = session.api.get(path("limits", "effective"), account=account)
        session.output.rows(found, _EFFECTIVE, nothing="no limits")


@online(app, "usage")
def usage(
    session: Session,
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="account, domain, ip or token.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="An address, a domain, an IP, the name of a token.")],
) -> None:
    """Show how much of its limits somebody has used, over all servers.

    Example:  mailraven security usage account ann@example.org
    """
    from mailraven.cli.api_client import path

    found = session.api.get(path("limits", "usage"), scope=scope, key=key)
    session.output.rows(found, _USAGE, nothing="no limits")
