"""MOVE and UID MOVE (RFC 9051 §6.4.8)."""

from __future__ import annotations

from dataclasses import replace

from mailraven.imap import response
from mailraven.imap.commands.move import Move
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.commands.copy import NO_TARGET
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import READ_ONLY
from mailraven.mailstore import NoSuchMailbox


async def run(session: Session, arguments: Move) -> Outcome:
    """One transaction; COPYUID goes before the EXPUNGE responses, so untagged (RFC 6851 §4.3)."""
    selected = session.selected
    if selected.read_only:
        return READ_ONLY
    uids = Chosen(selected, arguments.messages, uid=arguments.uid).uids()
    try:
        moved = await session.services.mailstore.move(
            selected.account, selected.mailbox, uids, session.account, arguments.mailbox
        )
    except NoSuchMailbox:
        return NO_TARGET
    if not moved.target:
        return ok("No message to move")
    code = response.copyuid_code(moved.uidvalidity, moved.source, moved.target)
    return replace(ok("MOVE completed", untagged=response.ok("Moved", code).untagged()), with_modseq=True)
