"""CAPABILITY (RFC 9051 §6.1.1)."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.bare import Bare
from mailraven.imapd.capability import capabilities
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, _: Bare) -> Outcome:
    """List what works now."""
    return ok("CAPABILITY completed", untagged=data.capability(capabilities(session)))
