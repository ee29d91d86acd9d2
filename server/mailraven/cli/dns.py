"""`mailraven dns`: the records that a domain should publish."""

from enum import StrEnum
from typing import Annotated

import typer

from mailraven.cli.complete import domain_names
from mailraven.cli.groups import Commands
from mailraven.cli.options import option
from mailraven.cli.output import Column
from mailraven.cli.problems import FAILED
from mailraven.cli.session import Session, online

app = Commands("The DNS records a domain needs, and whether they are there.")
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", autocompletion=domain_names)]
Alias = Annotated[str | None, option("--alias", metavar="NAME", help="The records of another name of the domain.")]


class RecordForm(StrEnum):
    """How records are printed."""

    TABLE = "table"
    ZONE = "zone"


_RECORDS = (
    Column("NAME", "name"),
    Column("TTL", "ttl"),
    Column("TYPE", "type"),
    Column("VALUE", "value", wide=True),
    Column("FOR", lambda row: row["purpose"] + ("" if row["required"] else " (optional)")),
)
_FINDINGS = (
    Column("STATE", "state"),
    Column("FOR", "purpose"),
    Column("TYPE", "type"),
    Column("NAME", "name"),
    Column("DETAIL", "detail", wide=True),
    Column("EXPECTED", "expected", wide=True),
    Column("FOUND", "found", wide=True),
)


@online(app, "check")
def check(session: Session, domain: Domain, alias: Alias = None) -> None:
    """Look up the records of a domain and compare. Exit code 1 if one that mail needs is missing or differs.

    Example:  mailraven dns check example.org
    """
    from mailraven.cli.api_client import path

    found = session.api.get(path("domains", domain, "dns", "check"), alias=alias)
    if session.output.is_table:
        session.output.rows(found["findings"], _FINDINGS, nothing="")
    else:
        session.output.one(found)
    if not found["ok"]:
        raise typer.Exit(FAILED)


@online(app, "records")
def records(
    session: Session,
    domain: Domain,
    alias: Alias = None,
    form: Annotated[
        RecordForm, option("--format", metavar="FORMAT", help="table, or zone for a zone file. [default: table]")
    ] = RecordForm.TABLE,
) -> None:
    """Print the records that a domain should publish.

    Example:  mailraven dns records example.org --format zone
    """
    from mailraven.cli.api_client import path

    where = path("domains", domain, "dns")
    if form is RecordForm.ZONE:
        typer.echo(session.api.text(where, format="zone", alias=alias), nl=False)
        return
    found = session.api.get(where, alias=alias)
    if not session.output.is_table:
        session.output.one(found)
        return
    session.output.rows(found["records"], _RECORDS, nothing="")
    for hint in found["hints"]:
        typer.echo(hint, err=True)
