"""STATUS (RFC 9051 §6.3.11)."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.status import Status
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.mailstore import MailboxInfo


async def run(session: Session, arguments: Status) -> Outcome:
    """Counters are kept with the mailbox: nothing is counted here."""
    info = await session.services.mailstore.mailbox(session.account, arguments.mailbox)
    return ok("STATUS completed", untagged=data.status(info.name, items(session, info, arguments.items)))


def mailbox_id(info: MailboxInfo) -> str:
    """MAILBOXID (RFC 8474 §4)."""
    return f"F{info.id}"


def items(session: Session, info: MailboxInfo, wanted: tuple[str, ...]) -> dict[str, int | str]:
    """Values of status items, in the order asked for."""
    if "HIGHESTMODSEQ" in wanted:
        session.enabled.condstore = True  # RFC 7162 §3.1.2
    known: dict[str, int | str] = {
        "MESSAGES": info.messages,
        "RECENT": info.recent,
        "UIDNEXT": info.uidnext,
        "UIDVALIDITY": info.uidvalidity,
        "UNSEEN": info.unseen,
        "DELETED": info.deleted,
        "SIZE": info.bytes,
        "HIGHESTMODSEQ": info.modseq,
        "MAILBOXID": f"({mailbox_id(info)})",
        "APPENDLIMIT": session.services.limits.signed_in.message,
    }
    return {name: known[name] for name in wanted}
