"""`mailraven domain`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailraven.cli.complete import domain_names
from mailraven.cli.confirm import confirm
from mailraven.cli.connection import NOT_RUNNING
from mailraven.cli.groups import Commands
from mailraven.cli.options import Yes
from mailraven.cli.output import Column, size
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

if TYPE_CHECKING:
    from mailraven.directory import Directory

app = Commands("Domains: whose mail this server takes, and the template of new ones.")
template = Commands("What new domains begin with; domains that are there keep what they have.")
app.add_typer(template, name="template")

Name = Annotated[str, typer.Argument(metavar="DOMAIN", autocompletion=domain_names)]
Changes = Annotated[
    list[str], typer.Argument(metavar="KEY=VALUE", help="Such as max_users=50 or security.dkim.key_size=4096.")
]
_TEMPLATE = "_default"
_COLUMNS = (
    Column("DOMAIN", "name"),
    Column("STATUS", "status"),
    Column("USERS", "users"),
    Column("USED", "used_bytes", size),
    Column("DKIM", "dkim_selector"),
)


@online(app, "add", offline=True)
def add(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="DOMAIN")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What differs from the template.")
    ] = None,
    no_template: Annotated[bool, typer.Option("--no-template", help="Do not begin with the template.")] = False,
) -> None:
    """Add a mail domain.

    Example:  mailraven domain add example.org max_users=50
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import document

    spec = document(changes) if changes else {}
    if session.is_offline:
        if spec or no_template:
            raise UsageProblem(f"KEY=VALUE and --no-template need a server: {NOT_RUNNING}")
        made = session.directory(lambda directory: directory.create_domain(name), audit=("domain.create", name))
        session.output.done(f"added {made.name}", {"name": made.name})
        return
    body = {"name": name, "use_default_template": not no_template, "domain": spec}
    found = session.api.post(path("domains"), body)
    session.output.done(f"added {found['name']}", found)


@online(app, "list", offline=True)
def list_(session: Session) -> None:
    """List the domains: name, status, users, octets used, DKIM selector.

    Example:  mailraven domain list
    """
    from mailraven.cli.api_client import path

    if session.is_offline:
        rows = session.directory(_stored)
        session.output.rows(rows, _COLUMNS[:2], nothing="no domains")
        return
    session.output.rows(session.api.pages(path("domains")), _COLUMNS, nothing="no domains")


async def _stored(directory: "Directory") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := await directory.list_domains(after=found[-1]["name"] if found else "", limit=1000):
        found += [{"name": domain.name, "status": "suspended" if domain.suspended else "active"} for domain in page]
    return found


@online(app, "show")
def show(session: Session, name: Name) -> None:
    """Show a domain: what was set for it (spec) and what holds for it, template included.

    Example:  mailraven domain show example.org
    """
    from mailraven.cli.api_client import path

    session.output.one(session.api.get(path("domains", name)))


@online(app, "update")
def update(session: Session, name: Name, changes: Changes) -> None:
    """Change fields of a domain; what is not named stays.

    null is no value, whatever the template says: max_users=null is no limit. For what a manifest of `mailraven apply`
    leaves out the template's value holds again.

    Example:  mailraven domain update example.org status=suspended
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import document

    found = session.api.patch(path("domains", name), document(changes))
    session.output.done(f"changed {found['name']}", found)


@online(app, "delete")
def delete(session: Session, name: Name, yes: Yes = False) -> None:
    """Delete a domain with its aliases and keys. One that has accounts stays.

    Example:  mailraven domain delete example.org --yes
    """
    from mailraven.cli.api_client import path

    confirm(f"Delete domain {name}?", yes)
    session.api.delete(path("domains", name))
    session.output.done(f"deleted {name}")


@online(template, "show")
def show_template(session: Session) -> None:
    """Show what new domains begin with.

    Example:  mailraven domain template show
    """
    from mailraven.cli.api_client import path

    session.output.one(session.api.get(path("domains", _TEMPLATE)))


@online(template, "set")
def set_template(session: Session, changes: Changes) -> None:
    """Change what new domains begin with.

    Example:  mailraven domain template set max_users=50 security.spam.reject_score=12
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import document

    found = session.api.patch(path("domains", _TEMPLATE), document(changes))
    session.output.done("changed the template of new domains", found)
