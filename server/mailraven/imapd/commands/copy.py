"""COPY and UID COPY (RFC 9051 §6.4.7), COPYUID (RFC 4315)."""

from __future__ import annotations

from mailraven.imap import response
from mailraven.imap.commands.copy import Copy
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.outcome import Outcome, no, ok
from mailraven.imapd.session import Session
from mailraven.mailstore import NoSuchMailbox

NO_TARGET = no("There is no mailbox of that name", "TRYCREATE")  # RFC 9051 §6.4.7


async def run(session: Session, arguments: Copy) -> Outcome:
    """All or nothing."""
    selected = session.selected
    uids = Chosen(selected, arguments.messages, uid=arguments.uid).uids()
    try:
        copied = await session.services.mailstore.copy(
            selected.account, selected.mailbox, uids, session.account, arguments.mailbox
        )
    except NoSuchMailbox:
        return NO_TARGET
    if not copied.target:
        return ok("No message to copy")
    return ok("COPY completed", response.copyuid_code(copied.uidvalidity, copied.source, copied.target))
