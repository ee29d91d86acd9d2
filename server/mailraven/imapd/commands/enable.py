"""ENABLE (RFC 5161)."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.enable import Enable
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, arguments: Enable) -> Outcome:
    """What is unknown, or on already, is left out of the answer (RFC 5161 §3.1)."""
    enabled = session.enabled
    names: list[str] = []
    for name in arguments.capabilities:
        if name == "QRESYNC" and not enabled.qresync:
            enabled.qresync = enabled.condstore = True  # RFC 7162 §3.2.3: QRESYNC brings CONDSTORE
            names.append(name)
        elif name == "CONDSTORE" and not enabled.condstore:
            enabled.condstore = True
            names.append(name)
    return ok("ENABLE completed", untagged=data.enabled(names))
