"""`mailraven queue`: the outgoing mail."""

from typing import Annotated, Any

import typer

from mailraven.cli.complete import addresses
from mailraven.cli.confirm import confirm
from mailraven.cli.groups import Commands
from mailraven.cli.options import Limit, Yes, option
from mailraven.cli.output import Column, moment, size
from mailraven.cli.problems import UsageProblem
from mailraven.cli.session import Session, online

app = Commands("The outgoing mail: what waits, why, and what to do about it.")
_CHOICE = "Which recipients"

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Ids of recipients, as `queue list` has them.")]
Domain = Annotated[str | None, option("--domain", metavar="DOMAIN", rich_help_panel=_CHOICE, help="To this domain.")]
Sender = Annotated[
    str | None,
    option("--sender", metavar="ADDRESS", rich_help_panel=_CHOICE, help="From this address; @DOMAIN: a whole domain."),
]
Recipient = Annotated[
    str | None, option("--recipient", metavar="ADDRESS", rich_help_panel=_CHOICE, help="To this address.")
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="ADDRESS", rich_help_panel=_CHOICE, help="Mail of this account.", show_default=False,
        autocompletion=addresses,
    ),
]  # fmt: skip
States = Annotated[
    list[str] | None,
    option("--state", metavar="STATE", rich_help_panel=_CHOICE, help="queued, deferred, held, ...; repeatable."),
]
Older = Annotated[
    int | None,
    option("--older", metavar="MINUTES", min=0, rich_help_panel=_CHOICE, help="That wait for at least so long."),
]
All = Annotated[bool, typer.Option("--all", rich_help_panel=_CHOICE, help="Everything.")]

_COLUMNS = (
    Column("ID", "id"),
    Column("MESSAGE", "message_id"),
    Column("STATE", "state"),
    Column("FROM", "sender", lambda value: value or "<>"),
    Column("TO", "recipient"),
    Column("TRIES", "attempts"),
    Column("NEXT", "due_at", moment),
    Column("SIZE", "size", size),
    Column("LAST REPLY", "last_reply", wide=True),
)
_COUNTS = (
    Column("DOMAIN", "domain"),
    Column("STATE", "state"),
    Column("RECIPIENTS", "recipients"),
    Column("OLDEST", "oldest", moment),
)


@online(app, "list")
def list_(
    session: Session,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    account: Account = None,
    state: States = None,
    older: Older = None,
    limit: Limit = 1000,
) -> None:
    """List waiting recipients, the newest message first; with --state also those that are done.

    Example:  mailraven queue list --domain example.com --state deferred
    """
    from mailraven.cli.api_client import path

    rows = session.api.pages(
        path("queue"), limit=limit, domain=domain, sender=sender, recipient=recipient, account=account, state=state,
        older_than_minutes=older,
    )  # fmt: skip
    session.output.rows(rows, _COLUMNS, nothing="nothing waits")


@online(app, "summary")
def summary(session: Session) -> None:
    """Count what waits, by domain and state, the most first.

    Example:  mailraven queue summary
    """
    from mailraven.cli.api_client import path

    session.output.rows(session.api.get(path("queue", "summary"))["items"], _COUNTS, nothing="nothing waits")


@online(app, "show")
def show(session: Session, message: Annotated[int, typer.Argument(metavar="MESSAGE")]) -> None:
    """Show a message with all its recipients.

    Example:  mailraven queue show 4711
    """
    from mailraven.cli.api_client import path

    found = session.api.get(path("queue", str(message)))
    if not session.output.is_table:
        session.output.one(found)
        return
    recipients, header = found.pop("recipients"), found.pop("header")
    session.output.one(found)
    typer.echo()
    session.output.rows(recipients, _COLUMNS, nothing="no recipients")
    if header:
        typer.echo()
        for line in header.splitlines():
            session.output.line(f"  {line}")


@online(app, "hold")
def hold(
    session: Session,
    ids: Ids = None,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    account: Account = None,
    older: Older = None,
    all_: All = False,
) -> None:
    """Hold mail back until it is released; the time to its expiry stands still.

    Example:  mailraven queue hold --domain example.com
    """
    _act(session, "hold", _filter(ids, domain, sender, recipient, account, older, all_))


@online(app, "release")
def release(
    session: Session,
    ids: Ids = None,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    account: Account = None,
    older: Older = None,
    all_: All = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="With --account: also end the hold of all mail of the account.")
    ] = False,
) -> None:
    """Let held mail go.

    Example:  mailraven queue release --account ann@example.org --lift
    """
    if lift and account is None:
        raise UsageProblem("--lift needs --account")
    chosen = _filter(ids, domain, sender, recipient, account, older, all_)
    _act(session, "release", chosen, **({"lift_account_hold": True} if lift else {}))


@online(app, "retry")
def retry(
    session: Session,
    ids: Ids = None,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    account: Account = None,
    older: Older = None,
    all_: All = False,
) -> None:
    """Try waiting mail now.

    Example:  mailraven queue retry --domain example.com
    """
    _act(session, "retry", _filter(ids, domain, sender, recipient, account, older, all_))


@online(app, "cancel")
def cancel(
    session: Session,
    ids: Ids = None,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    account: Account = None,
    older: Older = None,
    all_: All = False,
    notify: Annotated[bool, typer.Option("--notify", help="Tell the senders with a bounce.")] = False,
    yes: Yes = False,
) -> None:
    """Give up on waiting mail; without --notify its sender hears nothing.

    Example:  mailraven queue cancel 4711 --notify --yes
    """
    chosen = _filter(ids, domain, sender, recipient, account, older, all_)
    confirm("Give up on this mail?", yes)
    _act(session, "cancel", chosen, notify_sender=notify)


def _filter(
    ids: list[int] | None,
    domain: str | None,
    sender: str | None,
    recipient: str | None,
    account: str | None,
    older: int | None,
    all_: bool,
) -> dict[str, Any]:
    given = {
        "ids": ids or None, "domain": domain, "sender": sender, "recipient": recipient, "account": account,
        "older_than_minutes": older, "all": all_ or None,
    }  # fmt: skip
    chosen = {name: value for name, value in given.items() if value is not None}
    if not chosen:
        raise UsageProblem("say which: ids, --domain, --sender, --recipient, --account, --older or --all")
    return chosen


_DONE = {"hold": "held", "release": "released", "retry": "to be tried now", "cancel": "cancelled"}


def _act(session: Session, action: str, chosen: dict[str, Any], **more: Any) -> None:
    from mailraven.cli.api_client import path

    result = session.api.post(path("queue", action), {"filter": chosen, **more})
    session.output.done(f"{result['changed']} {_DONE[action]}", result)
    for count, text in (
        (result["attempting"], "being tried at this moment: not touched, ask again"),
        (result["unchanged"], "in another state: not touched"),
        (result["account_held"], "of an account whose mail is held: use --account ADDRESS --lift"),
    ):
        if count:
            session.output.line(f"{count} {text}")
    if result["more"]:
        session.output.line("there are more: run it again")
