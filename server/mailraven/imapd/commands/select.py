"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3)."""

from __future__ import annotations

from itertools import islice

from mailraven.imap import data, response
from mailraven.imap.commands.select import Select
from mailraven.imapd import updates
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected
from mailraven.mailstore import MailboxInfo, MailboxView
from mailraven.mailstore.flags import SEEN


async def run(session: Session, arguments: Select) -> Outcome:
    """A failing SELECT leaves no mailbox selected (RFC 9051 §6.3.2)."""
    mailstore = session.services.mailstore
    identity = session.identity
    await session.leave_mailbox()
    info = await mailstore.mailbox(identity.account_id, arguments.mailbox)
    view = await mailstore.view(identity.account_id, info.id)
    try:
        if arguments.read_only:
            first_recent = _first_recent(view, info)
        else:
            first_recent = await mailstore.claim_recent(identity.account_id, info.id)
    except BaseException:
        mailstore.release(view)
        raise
    selected = Selected(identity, view, view.snapshot(), arguments.read_only, first_recent, view.uidnext, 0)
    session.state = selected
    untagged = _responses(selected, info)
    if arguments.read_only:
        return ok("EXAMINE completed", "READ-ONLY", untagged=untagged)
    return ok("SELECT completed", "READ-WRITE", untagged=untagged)


def _responses(selected: Selected, info: MailboxInfo) -> bytes:
    view, count = selected.view, selected.snapshot.count
    parts = [updates.announce_flags(selected), data.exists(count), data.recent(selected.recent)]
    unseen = _first_unseen(selected) if info.unseen else None
    if unseen is not None:
        parts.append(response.ok("First unseen message", f"UNSEEN {unseen}").untagged())
    parts.append(response.ok("UIDs are valid", f"UIDVALIDITY {view.uidvalidity}").untagged())
    parts.append(response.ok("Predicted next UID", f"UIDNEXT {view.uidnext}").untagged())
    return b"".join(parts)


def _first_unseen(selected: Selected) -> int | None:
    """Sequence number of the first message that is not \\Seen (RFC 3501 §6.3.1)."""
    snapshot = selected.snapshot
    rows = selected.view.rows(islice(snapshot.uids, snapshot.count))
    return next((number for number, (_, mask, _) in enumerate(rows, 1) if not mask & SEEN), None)


def _first_recent(view: MailboxView, info: MailboxInfo) -> int:
    r"""Where \Recent begins for EXAMINE, which claims nothing."""
    snapshot = view.snapshot()
    before = sum(1 for uid in snapshot.uids[max(0, snapshot.count - 1000) :] if uid >= info.uidnext)
    index = snapshot.count - before - info.recent
    return snapshot.uids[max(index, 0)] if info.recent and snapshot.count else info.uidnext
