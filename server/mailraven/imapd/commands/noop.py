"""NOOP and CHECK (RFC 9051 §6.1.2, RFC 3501 §6.4.1): an occasion to hear news."""

from __future__ import annotations

from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(_session: Session, _: Bare) -> Outcome:
    """Nothing; the table says that the mailbox is looked at."""
    return ok("Completed")
