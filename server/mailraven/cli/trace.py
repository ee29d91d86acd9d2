"""`mailraven trace`: where is my mail?"""

from typing import Annotated, Any

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import Limit, option
from mailraven.cli.problems import FAILED, complain
from mailraven.cli.session import Session, online

app = Commands(single=True)


@online(app, "trace")
def trace(
    session: Session,
    what: Annotated[
        str, typer.Argument(metavar="MESSAGE-ID|ADDRESS", help="A Message-ID, an address, or an id of the log.")
    ],
    since: Annotated[str | None, option("--since", metavar="TIME", help="ISO 8601, with its offset from UTC.")] = None,
    until: Annotated[str | None, option("--until", metavar="TIME", help="The same.")] = None,
    limit: Limit = 20,
) -> None:
    """Show what happened to a message, or to the mail of an address: from connection to mailbox or remote reply.

    The newest messages first, times in UTC. Exit code 1 if nothing is known.

    Example:  mailraven trace ann@example.org
    """
    found = _find(session, what.strip(), limit, {"since": since, "until": until})
    if not session.output.is_table:
        session.output.rows(found, (), nothing="")
    for message in found if session.output.is_table else ():
        _show(session, message)
    if not found:
        complain(f"nothing is known of {what}")
        raise typer.Exit(FAILED)


def _find(session: Session, what: str, limit: int, times: dict[str, str | None]) -> list[dict[str, Any]]:
    from mailraven.cli.api_client import path

    if what.startswith("<"):
        tries = ["message_id"]
    else:  # an address and a Message-ID look alike
        tries = ["address", "message_id"] if "@" in what else ["trace_id", "message_id"]
    for key in tries:
        if found := list(session.api.pages(path("trace"), limit=limit, **{key: what}, **times)):
            return found
    return []


def _show(session: Session, message: dict[str, Any]) -> None:
    title = f"<{message['message_id']}>" if message["message_id"] else message["trace_id"]
    session.output.line(f"{title} from {message['sender'] or '<>'}")
    for event in message["events"]:
        session.output.line(f"  {event['line']}")
