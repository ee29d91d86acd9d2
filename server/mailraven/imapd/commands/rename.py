"""RENAME (RFC 9051 §6.3.6)."""

from __future__ import annotations

from mailraven.imap.commands.rename import Rename
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, arguments: Rename) -> Outcome:
    """Children go along; of INBOX only the messages go."""
    await session.services.mailstore.rename(session.account, arguments.source, arguments.target)
    return ok("RENAME completed")
