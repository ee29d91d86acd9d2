"""SEARCH and UID SEARCH (RFC 9051 §6.4.4)."""

from __future__ import annotations

from bisect import bisect_left

from mailraven.imap import data
from mailraven.imap.commands.search import Search
from mailraven.imapd import search_flags
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.search_program import translate
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected


async def run(session: Session, arguments: Search) -> Outcome:
    """Flags and numbers are looked up in the view, everything else in the database."""
    selected = session.selected
    program = translate(arguments.program, selected)
    found = search_flags.search(program, selected)
    if found is None:
        found = await session.services.mailstore.search(selected.account, selected.mailbox, program, ())
    numbers = _announced(selected, found, as_uids=arguments.uid)
    return ok("SEARCH completed", untagged=data.search(numbers))


def _announced(selected: Selected, found: list[int], *, as_uids: bool) -> list[int]:
    """Only messages that the client knows of; sequence numbers or UIDs."""
    uids, count = selected.snapshot.uids, selected.snapshot.count
    numbers: list[int] = []
    index = 0
    for uid in found:
        if index >= count or uids[index] != uid:
            index = bisect_left(uids, uid, 0, count)
            if index >= count:
                break
            if uids[index] != uid:
                continue
        numbers.append(uid if as_uids else index + 1)
        index += 1
    return numbers
