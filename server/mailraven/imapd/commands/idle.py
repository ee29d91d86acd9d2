"""IDLE (RFC 2177); the connection keeps it up and ends it."""

from __future__ import annotations

from mailraven.imap.commands.idle import Idle
from mailraven.imapd.outcome import Outcome, Then, ok
from mailraven.imapd.session import Session


async def run(_session: Session, _: Idle) -> Outcome:
    """Until DONE."""
    return ok("IDLE completed", then=Then.IDLE)
