"""ID (RFC 2971)."""

from __future__ import annotations

import structlog

from mailraven.imap import data
from mailraven.imap.commands.id import Id
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import NotAuthenticated

_log = structlog.get_logger(component="imapd")
_LOGGED = ("name", "version", "os")


async def run(session: Session, arguments: Id) -> Outcome:
    """Say who we are; strangers do not learn the version."""
    parameters: dict[str, str | None] = {"name": "MailRaven"}
    if not isinstance(session.state, NotAuthenticated):
        parameters["version"] = session.services.version
    told = {name.lower(): value for name, value in arguments.parameters if value is not None}
    client = " ".join(told[name][:50] for name in _LOGGED if name in told)
    _log.debug("client", session=session.id, client=client)
    return ok("ID completed", untagged=data.identification(parameters))
