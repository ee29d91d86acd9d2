"""STORE and UID STORE (RFC 9051 §6.4.6)."""

from __future__ import annotations

from bisect import bisect_left

from mailraven.imap.commands.store import Store
from mailraven.imap.fetch_data import FlagLists, flags_response
from mailraven.imap.sequence_set import compact
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
    uids, numbers = chosen.uids(), chosen.numbers()
    if arguments.unchanged_since is not None:
        selected.enabled.condstore = True  # RFC 7162 §3.1
    stored = await session.services.mailstore.store(
        selected.account,
        selected.mailbox,
        uids,
        arguments.operation,
        arguments.flags.mask,
        arguments.flags.keywords,
        arguments.unchanged_since,
    )
    code = ""
    if stored.failed:
        failed = set(stored.failed)
        pairs = list(zip(numbers, uids, strict=True))
        names = [uid if arguments.uid else number for number, uid in pairs if uid in failed]
        code = f"MODIFIED {compact(names)}"
        if arguments.silent:  # RFC 7162 §3.1.3: what they are now, so that the client need not ask
            numbers, uids = [list(column) for column in zip(*(p for p in pairs if p[1] in failed), strict=True)]
    elif arguments.silent:
        numbers, uids = [], []
    # The client knows what it did itself, not what others do meanwhile: that has a higher MODSEQ.
    told = dict.fromkeys(stored.changed, stored.modseq)
    lines = _modseqs(selected, told, with_uid=arguments.uid) if arguments.silent else b""
    seen, shown = _responses(selected, numbers, uids, with_uid=arguments.uid)
    session.report(told | seen)
    return ok("STORE completed", code, untagged=updates.new_keywords(selected) + lines + shown)


def _modseqs(selected: Selected, changed: dict[int, int], *, with_uid: bool) -> bytes:
    """FETCH with the new MODSEQ alone, after a silent STORE (RFC 7162 §3.1.3)."""
    if not selected.enabled.condstore:
        return b""
    known, count = selected.snapshot.uids, selected.snapshot.count
    return b"".join(
        flags_response(bisect_left(known, uid, 0, count) + 1, None, uid if with_uid else None, modseq)
        for uid, modseq in changed.items()
    )


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
    if selected.enabled.condstore:
        shown = zip(numbers, flags, rows, strict=True)
        lines = [flags_response(n, names, row[0] if with_uid else None, row[2]) for n, names, row in shown]
    elif with_uid:
        present = [uid for uid, _, _ in rows]
        lines = [b"* %d FETCH (UID %d FLAGS %b)\r\n" % row for row in zip(numbers, present, flags, strict=True)]
    else:
        lines = [b"* %d FETCH (FLAGS %b)\r\n" % row for row in zip(numbers, flags, strict=True)]
    return {uid: modseq for uid, _, modseq in rows}, b"".join(lines)
