"""CLOSE (RFC 9051 §6.4.1)."""

from __future__ import annotations

from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, _: Bare) -> Outcome:
    r"""Expunge what is \Deleted without saying so; nothing after EXAMINE."""
    selected = session.selected
    if not selected.read_only and not selected.view.gone:
        await session.services.mailstore.expunge(selected.account, selected.mailbox)
    await session.leave_mailbox()
    return ok("CLOSE completed")
