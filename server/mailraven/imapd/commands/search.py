"""SEARCH and UID SEARCH (RFC 9051 §6.4.4), ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from mailraven.imap import data
from mailraven.imap import search_keys as keys
from mailraven.imap.commands.search import Search
from mailraven.imap.sequence_set import compact
from mailraven.imapd import search_flags
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.search_program import translate
from mailraven.imapd.session import Session
from mailraven.imapd.state import Selected


async def run(session: Session, arguments: Search) -> Outcome:
    """Flags and numbers are looked up in the view, everything else in the database."""
    selected = session.selected
    returns = arguments.returns
    saves = returns is not None and "SAVE" in returns
    by_modseq = keys.mentions(arguments.program, keys.ModSeq)
    session.enabled.condstore |= by_modseq  # RFC 7162 §3.1
    try:
        program = translate(arguments.program, selected)
        found = search_flags.search(program, selected)
        if found is None:
            found = await session.services.mailstore.search(selected.account, selected.mailbox, program, ())
    except BaseException:
        if saves:
            selected.saved = ()  # RFC 5182 §2.1: a search that failed leaves nothing behind
        raise
    numbers, uids = _announced(selected, found)
    shown = uids if arguments.uid else numbers
    modseq = max((row[2] for row in selected.view.rows(uids)), default=None) if by_modseq else None
    if returns is None:
        return ok("SEARCH completed", untagged=data.search(shown, modseq))
    if saves:
        selected.saved = tuple(_saved(returns, uids))
        if returns == {"SAVE"}:
            return ok("SEARCH completed, result saved")
    items = [*_items(arguments, shown), *([("MODSEQ", modseq)] if modseq is not None else [])]
    return ok("SEARCH completed", untagged=data.esearch(session.tag, items, uid=arguments.uid))


def _announced(selected: Selected, found: list[int]) -> tuple[list[int], list[int]]:
    """Sequence numbers and UIDs of those that the client knows of."""
    known, count = selected.snapshot.uids, selected.snapshot.count
    numbers: list[int] = []
    uids: list[int] = []
    index = 0
    for uid in found:
        if index >= count or known[index] != uid:
            index = bisect_left(known, uid, 0, count)
            if index >= count:
                break
            if known[index] != uid:
                continue
        numbers.append(index + 1)
        uids.append(uid)
        index += 1
    return numbers, uids


def _items(arguments: Search, shown: Sequence[int]) -> Iterator[tuple[str, int | str]]:
    """In the order of RFC 4731 §3.1; what has no value is left out, COUNT always has one."""
    returns = arguments.returns or frozenset()
    if shown and "MIN" in returns:
        yield "MIN", shown[0]
    if shown and "MAX" in returns:
        yield "MAX", shown[-1]
    if "COUNT" in returns:
        yield "COUNT", len(shown)
    if arguments.partial is not None:
        yield "PARTIAL", f"({arguments.partial.render()} {compact(arguments.partial.of(shown)) or 'NIL'})"
    elif shown and "ALL" in returns:
        yield "ALL", compact(shown)


def _saved(returns: frozenset[str], uids: Sequence[int]) -> Sequence[int]:
    """RFC 5182 §2.4: MIN and MAX alone save only what they name."""
    if returns & {"ALL", "COUNT", "PARTIAL"} or not returns & {"MIN", "MAX"}:
        return uids
    ends = [*([uids[0]] if "MIN" in returns and uids else []), *([uids[-1]] if "MAX" in returns and uids else [])]
    return list(dict.fromkeys(ends))
