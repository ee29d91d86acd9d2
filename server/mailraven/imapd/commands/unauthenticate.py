"""UNAUTHENTICATE (RFC 8437)."""

from __future__ import annotations

from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Enabled, NotAuthenticated


async def run(session: Session, _: Bare) -> Outcome:
    """Back to the state before login; TLS stays, what was enabled does not (RFC 8437 §2)."""
    await session.leave_mailbox()
    session.state = NotAuthenticated()
    session.enabled = Enabled()
    return ok("UNAUTHENTICATE completed")
