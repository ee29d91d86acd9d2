"""CREATE (RFC 9051 §6.3.4), with a special use (RFC 6154 §3)."""

from __future__ import annotations

from mailraven.imap.commands.create import Create
from mailraven.imapd.commands.status import mailbox_id
from mailraven.imapd.outcome import Outcome, no, ok
from mailraven.imapd.session import Session

_SPECIAL_USES = ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")


async def run(session: Session, arguments: Create) -> Outcome:
    """Missing parents are made, too."""
    uses = arguments.special_use
    if len(uses) > 1 or any(use not in _SPECIAL_USES for use in uses):
        return no("A mailbox cannot have that special use", "USEATTR")
    made = await session.services.mailstore.create(session.account, arguments.mailbox, uses[0] if uses else None)
    return ok("CREATE completed", f"MAILBOXID ({mailbox_id(made)})")
