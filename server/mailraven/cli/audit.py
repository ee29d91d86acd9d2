"""`mailraven audit`: who did what."""

from typing import Annotated

from mailraven.cli.groups import Commands
from mailraven.cli.options import Limit, option
from mailraven.cli.output import Column, moment
from mailraven.cli.session import Session, online

app = Commands("The audit log: who did what, from where, and what it changed.")
_COLUMNS = (
    Column("WHEN", "at", moment),
    Column("WHO", "actor"),
    Column("FROM", "ip"),
    Column("ACTION", "action"),
    Column("TARGET", "target"),
    Column("OUTCOME", "outcome"),
    Column("BEFORE", "before", wide=True),
    Column("AFTER", "after", wide=True),
)


@online(app, "list")
def list_(
    session: Session,
    actor: Annotated[str | None, option("--actor", metavar="WHO", help="An address, or `token NAME`.")] = None,
    action: Annotated[str | None, option("--action", metavar="ACTION", help="Such as domain or domain.create.")] = None,
    target: Annotated[str | None, option("--target", metavar="WHAT", help="Such as example.org.")] = None,
    domain: Annotated[str | None, option("--domain", metavar="DOMAIN", help="What its admins see.")] = None,
    outcome: Annotated[str | None, option("--outcome", metavar="OUTCOME", help="ok, refused or failed.")] = None,
    since: Annotated[str | None, option("--since", metavar="TIME", help="ISO 8601, with its offset from UTC.")] = None,
    until: Annotated[str | None, option("--until", metavar="TIME", help="The same.")] = None,
    limit: Limit = 100,
) -> None:
    """List what was done, the newest first.

    Example:  mailraven audit list --action domain --limit 20
    """
    from mailraven.cli.api_client import path

    rows = session.api.pages(
        path("audit"), limit=limit, actor=actor, action=action, target=target, domain=domain, outcome=outcome,
        since=since, until=until,
    )  # fmt: skip
    session.output.rows(rows, _COLUMNS, nothing="nothing was done")
