"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3), with CONDSTORE and QRESYNC (RFC 7162)."""

from __future__ import annotations

from itertools import islice

from mailraven.imap import data, response
from mailraven.imap.commands.select import Resync, Select
from mailraven.imapd import updates
from mailraven.imapd.commands.status import mailbox_id
from mailraven.imapd.outcome import Outcome, bad, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected
from mailraven.mailstore import MailboxInfo, MailboxView
from mailraven.mailstore.flags import SEEN


async def run(session: Session, arguments: Select) -> Outcome:
    """A failing SELECT leaves no mailbox selected (RFC 9051 §6.3.2)."""
    mailstore = session.services.mailstore
    identity = session.identity
    if arguments.resync is not None and not session.enabled.qresync:
        return bad("ENABLE QRESYNC comes first")  # RFC 7162 §3.2.5
    closed = response.ok("The mailbox before is closed", "CLOSED").untagged() if _is_open(session) else b""
    await session.leave_mailbox()
    session.enabled.condstore |= arguments.condstore
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
    selected = Selected(
        identity, view, view.snapshot(), arguments.read_only, first_recent, view.uidnext, 0, session.enabled
    )
    session.state = selected
    untagged = closed + _responses(selected, info)
    if arguments.resync is not None:
        untagged += await _resynchronised(session, selected, arguments.resync)
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
    parts.append(response.ok("Highest", f"HIGHESTMODSEQ {selected.snapshot.modseq}").untagged())
    parts.append(response.ok("Its id", f"MAILBOXID ({mailbox_id(info)})").untagged())
    return b"".join(parts)


def _is_open(session: Session) -> bool:
    return isinstance(session.state, Selected)


async def _resynchronised(session: Session, selected: Selected, resync: Resync) -> bytes:
    """What the client missed (RFC 7162 §3.2.5.2): nothing of use to it if UIDVALIDITY is another."""
    view = selected.view
    if resync.uidvalidity != view.uidvalidity or resync.modseq >= selected.snapshot.modseq:
        return b""
    gone = await session.services.mailstore.vanished(selected.account, selected.mailbox, resync.modseq)
    if resync.known is not None:
        gone = resync.known.uids(gone)
    uids = list(islice(selected.snapshot.uids, selected.snapshot.count))
    if resync.known is not None:
        uids = resync.known.uids(uids)
    return data.vanished(gone, earlier=True) + updates.changed_since(selected, uids, resync.modseq)


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
