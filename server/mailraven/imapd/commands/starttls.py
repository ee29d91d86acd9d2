"""STARTTLS (RFC 9051 §6.2.1)."""

from __future__ import annotations

from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, Then, bad, ok
from mailraven.imapd.session import Session


async def run(session: Session, _: Bare) -> Outcome:
    """The connection does the handshake after the response."""
    if session.secure:
        return bad("TLS is in use already")
    if not session.may_start_tls:
        return bad("STARTTLS is not offered here")
    return ok("Begin TLS negotiation now", then=Then.START_TLS)
