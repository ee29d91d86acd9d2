"""STORE and UID STORE (RFC 9051 §6.4.6)."""

from __future__ import annotations

from mailraven.imap.commands.store import Store
from mailraven.imap.fetch_data import FlagLists
from mailraven.imapd import updates
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import READ_ONLY, Selected


async def run(session: Session, arguments: Store) -> Outcome:
    """One transaction; what other sessions changed comes with the news at the end."""
    selected = session.selected
    if selected.read_only:
        return READ_ONLY
    chosen = Chosen(selected, arguments.messages, uid=arguments.uid)
    uids = chosen.uids()
    stored = await session.services.mailstore.store(
        selected.account,
        selected.mailbox,
        uids,
        arguments.operation,
        arguments.flags.mask,
        arguments.flags.keywords,
    )
    if arguments.silent:
        # The client knows what it did itself, not what others do meanwhile: that has a higher MODSEQ.
        session.report(dict.fromkeys(stored.changed, stored.modseq))
        return ok("STORE completed", untagged=updates.new_keywords(selected))
    told, lines = _responses(selected, chosen.numbers(), uids, with_uid=arguments.uid)
    session.report(told)
    return ok("STORE completed", untagged=updates.new_keywords(selected) + lines)


def _responses(
    selected: Selected, numbers: list[int], uids: list[int], *, with_uid: bool
) -> tuple[dict[int, int], bytes]:
    """FETCH FLAGS of each message, changed or not (RFC 9051 §6.4.6), and the MODSEQs they tell of."""
    lists = FlagLists(selected.view.keywords)
    rows = list(selected.view.rows(uids))
    if len(rows) < len(uids):  # some were expunged by others
        number_of = dict(zip(uids, numbers, strict=True))
        numbers = [number_of[uid] for uid, _, _ in rows]
    masks = updates.with_recent(selected, (row[0] for row in rows), (row[1] for row in rows))
    flags = map(lists.__getitem__, masks)
    if with_uid:
        present = [uid for uid, _, _ in rows]
        lines = [b"* %d FETCH (UID %d FLAGS %b)\r\n" % row for row in zip(numbers, present, flags, strict=True)]
    else:
        lines = [b"* %d FETCH (FLAGS %b)\r\n" % row for row in zip(numbers, flags, strict=True)]
    return {uid: modseq for uid, _, modseq in rows}, b"".join(lines)
