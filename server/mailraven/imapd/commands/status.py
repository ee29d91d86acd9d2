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
    return ok("STATUS completed", untagged=data.status(info.name, items(info, arguments.items)))


def items(info: MailboxInfo, wanted: tuple[str, ...]) -> dict[str, int | str]:
    """Values of status items, in the order asked for."""
    known = {
        "MESSAGES": info.messages,
        "RECENT": info.recent,
        "UIDNEXT": info.uidnext,
        "UIDVALIDITY": info.uidvalidity,
        "UNSEEN": info.unseen,
        "DELETED": info.deleted,
        "SIZE": info.bytes,
    }
    return {name: known[name] for name in wanted}
