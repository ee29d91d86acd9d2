"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9)."""

from __future__ import annotations

from dataclasses import replace

from mailraven.imap.commands.expunge import Expunge
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import READ_ONLY


async def run(session: Session, arguments: Expunge) -> Outcome:
    """The EXPUNGE responses come with the news at the end of the command."""
    selected = session.selected
    if selected.read_only:
        return READ_ONLY
    uids = None if arguments.uids is None else Chosen(selected, arguments.uids, uid=True).uids()
    removed = await session.services.mailstore.expunge(selected.account, selected.mailbox, uids)
    return replace(ok("EXPUNGE completed"), with_modseq=bool(removed))
