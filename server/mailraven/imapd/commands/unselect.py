"""UNSELECT (RFC 9051 §6.4.2)."""

from __future__ import annotations

from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, _: Bare) -> Outcome:
    """Close without expunging."""
    await session.leave_mailbox()
    return ok("UNSELECT completed")
