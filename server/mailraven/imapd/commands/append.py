"""APPEND (RFC 9051 §6.3.12), APPENDUID (RFC 4315); also several messages at once (RFC 3502)."""

from __future__ import annotations

from mailraven.imap import response
from mailraven.imap.commands.append import Append
from mailraven.imapd.outcome import Outcome, no, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected
from mailraven.mailstore import NoSuchMailbox, Upload


async def run(session: Session, arguments: Append) -> Outcome:
    """All or nothing; the connection has refused what is too large before reading it."""
    mailstore = session.services.mailstore
    uploads = [
        Upload(message.octets, message.flags.mask, message.flags.keywords, message.internal_date)
        for message in arguments.messages
    ]
    if not all(upload.raw for upload in uploads):
        return no("A message cannot be empty", "CANNOT")
    try:
        appended = await mailstore.append(session.account, arguments.mailbox, uploads)
    except NoSuchMailbox:
        return no("There is no mailbox of that name", "TRYCREATE")
    if isinstance(session.state, Selected) and session.state.mailbox == appended.mailbox:
        await mailstore.refresh(session.state.view)
    return ok("APPEND completed", response.appenduid_code(appended.uidvalidity, appended.uids))
