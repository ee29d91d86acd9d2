"""LOGOUT (RFC 9051 §6.1.3)."""

from __future__ import annotations

from mailraven.imap import response
from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, Then, ok
from mailraven.imapd.session import Session


async def run(session: Session, _: Bare) -> Outcome:
    """BYE comes before the tagged OK."""
    await session.leave_mailbox()
    return ok("LOGOUT completed", untagged=response.bye("Logging out").untagged(), then=Then.CLOSE)
