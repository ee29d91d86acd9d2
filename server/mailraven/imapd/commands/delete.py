"""DELETE (RFC 9051 §6.3.5)."""

from __future__ import annotations

from mailraven.imap import response
from mailraven.imap.commands.delete import Delete
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected


async def run(session: Session, arguments: Delete) -> Outcome:
    """Who deletes the mailbox he has selected has none selected afterwards."""
    mailstore = session.services.mailstore
    await mailstore.delete(session.account, arguments.mailbox)
    untagged = b""
    if isinstance(session.state, Selected):
        view = session.state.view
        await mailstore.refresh(view)
        if view.gone:
            await session.leave_mailbox()
            untagged = response.ok("The selected mailbox was deleted", "CLOSED").untagged()
    return ok("DELETE completed", untagged=untagged)
