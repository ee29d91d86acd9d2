"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8)."""

from __future__ import annotations

from mailraven.imap.commands.subscribe import Subscribe
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, arguments: Subscribe) -> Outcome:
    """The name need not be a mailbox (RFC 3501 §6.3.6)."""
    mailstore = session.services.mailstore
    if arguments.subscribed:
        await mailstore.subscribe(session.account, arguments.mailbox)
        return ok("SUBSCRIBE completed")
    await mailstore.unsubscribe(session.account, arguments.mailbox)
    return ok("UNSUBSCRIBE completed")
