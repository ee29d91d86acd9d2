"""LOGIN (RFC 9051 §6.2.3)."""

from __future__ import annotations

from mailraven.imap.commands.login import Login
from mailraven.imapd.outcome import Outcome
from mailraven.imapd.session import Session
from mailraven.imapd.sign_in import NOT_IN_THE_CLEAR, sign_in


async def run(session: Session, arguments: Login) -> Outcome:
    """Refused where the password could be read on the way (LOGINDISABLED)."""
    if not session.may_send_password:
        return NOT_IN_THE_CLEAR
    return await sign_in(session, arguments.user, arguments.password, "LOGIN")
