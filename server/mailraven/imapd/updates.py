"""What happened to the selected mailbox since the client last heard, as untagged responses (RFC 9051 §7.4, §7.5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from mailraven.imap import data, response
from mailraven.imap.fetch_data import FlagLists, flags_response
from mailraven.imap.flags import RECENT
from mailraven.imapd.state import Selected
from mailraven.mailstore.flags import MAX_KEYWORDS, SYSTEM_FLAGS


def collect(selected: Selected, *, expunge: bool, reported: dict[int, int] | None = None) -> bytes:
    """Everything new, and the snapshot moves on; without `expunge` EXPUNGE is held back (RFC 9051 §7.5.1).

    `reported`: UIDs with the MODSEQ up to which their flags need no report.
    """
    before = selected.snapshot
    delta = selected.view.since(before, expunge=expunge)
    if delta.snapshot is before:
        return b""
    selected.snapshot = delta.snapshot
    if selected.enabled.qresync:
        gone = data.vanished(before.uids[number - 1] for number in reversed(delta.expunged))
    else:
        gone = data.expunge(delta.expunged)
    parts = [gone, new_keywords(selected)]
    if delta.exists is not None:
        parts += (data.exists(delta.exists), data.recent(selected.recent))
    if delta.changed:
        parts += _changed_flags(selected, delta.changed, reported or {})
    return b"".join(parts)


def new_keywords(selected: Selected) -> bytes:
    """FLAGS again if the mailbox learnt keywords: a client must know one before FETCH shows it."""
    if len(selected.view.keywords) == selected.keywords:
        return b""
    return announce_flags(selected)


def announce_flags(selected: Selected) -> bytes:
    r"""FLAGS and PERMANENTFLAGS; `\*` while there is room for new keywords (RFC 9051 §7.1)."""
    keywords = selected.view.keywords
    selected.keywords = len(keywords)
    names = (*SYSTEM_FLAGS, *keywords)
    if selected.read_only:
        code = response.permanentflags_code((), new_keywords=False)
        return data.flags(names) + response.ok("No flag can be changed", code).untagged()
    code = response.permanentflags_code(names, new_keywords=len(keywords) < MAX_KEYWORDS)
    return data.flags(names) + response.ok("Flags that stay", code).untagged()


def with_recent(selected: Selected, uids: Iterable[int], masks: Iterable[int]) -> Iterator[int]:
    r"""Flag masks with \Recent where it applies in this session."""
    first = selected.first_recent
    return (mask | RECENT if uid >= first else mask for uid, mask in zip(uids, masks, strict=True))


def changed_since(selected: Selected, uids: Iterable[int], modseq: int) -> bytes:
    """FETCH with UID, FLAGS and MODSEQ of those of the announced UIDs that changed (RFC 7162 §3.2.5.2)."""
    changed = [uid for uid, _, own in selected.view.rows(uids) if own > modseq]
    return b"".join(_changed_flags(selected, changed, {}))


def _changed_flags(selected: Selected, changed: list[int], reported: dict[int, int]) -> Iterator[bytes]:
    uids, count = selected.snapshot.uids, selected.snapshot.count
    lists = FlagLists(selected.view.keywords)
    condstore = selected.enabled.condstore
    for uid, mask, modseq in selected.view.rows(changed):
        if reported.get(uid, 0) >= modseq:
            continue
        index = bisect_left(uids, uid, 0, count)
        if index < count and uids[index] == uid:
            flags = lists[mask | RECENT if uid >= selected.first_recent else mask]
            # Nobody asked for the UID, but a client that has just renumbered can be sure.
            yield flags_response(index + 1, flags, uid, modseq if condstore else None)
