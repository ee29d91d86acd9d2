"""What happened to the selected mailbox since the client last heard, as untagged responses (RFC 9051 §7.4, §7.5)."""

from __future__ import annotations

from bisect import bisect_left

from mailraven.imapd.flag_list import FlagLists, announce_flags
from mailraven.imapd.state import Selected


def collect(selected: Selected, *, expunge: bool, reported: dict[int, int] | None = None) -> bytes:
    """Everything new, and the snapshot moves on; without `expunge` EXPUNGE is held back (RFC 9051 §7.5.1).

    `reported`: UIDs with the MODSEQ up to which their flags need no report.
    """
    view = selected.view
    before = selected.snapshot
    delta = view.since(before, expunge=expunge)
    if delta.snapshot is before:
        return b""
    selected.snapshot = delta.snapshot
    lines = [b"* %d EXPUNGE\r\n" % number for number in delta.expunged]
    if len(view.keywords) > selected.keywords:  # a client must know a keyword before FETCH shows it
        selected.keywords = len(view.keywords)
        lines.append(announce_flags(view.keywords, read_only=selected.read_only))
    if delta.exists is not None:
        lines.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (delta.exists, selected.recent))
    if delta.changed:
        lines += _flags(selected, delta.changed, reported or {})
    return b"".join(lines)


def _flags(selected: Selected, changed: list[int], reported: dict[int, int]) -> list[bytes]:
    uids, count = selected.snapshot.uids, selected.snapshot.count
    lists = FlagLists(selected.view.keywords, selected.first_recent)
    lines = []
    for uid, mask, modseq in selected.view.rows(changed):
        if reported.get(uid, 0) >= modseq:
            continue
        index = bisect_left(uids, uid, 0, count)
        if index < count and uids[index] == uid:
            # The UID is not asked for, but lets a client that just renumbered be sure.
            lines.append(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (index + 1, uid, lists.of(uid, mask)))
    return lines
