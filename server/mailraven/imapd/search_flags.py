"""Searches that the view can answer: flags, UIDs and \\Recent, without a query."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import islice

from mailraven.imapd.state import Selected
from mailraven.mailstore import program as p
from mailraven.mailstore.flags import SYSTEM_FLAGS, mask_of

Test = Callable[[int, int], bool]
"""(UID, flag mask) -> whether the message matches."""


def search(program: p.Key, selected: Selected) -> list[int] | None:
    """Ascending UIDs among those the client knows; None: ask the database."""
    test = _compile(program, selected.view.keywords)
    if test is None:
        return None
    snapshot = selected.snapshot
    rows = selected.view.rows(islice(snapshot.uids, snapshot.count))
    return [uid for uid, mask, _ in rows if test(uid, mask)]


def _compile(key: p.Key, keywords: list[str]) -> Test | None:
    match key:
        case p.All():
            return lambda _uid, _mask: True
        case p.Flag(name, present):
            bit = SYSTEM_FLAGS.get(name) or mask_of(keywords, [name])[0]
            return (lambda _, mask: mask & bit != 0) if present else (lambda _, mask: mask & bit == 0)
        case p.Recent(first, present):
            return (lambda uid, _: uid >= first) if present else (lambda uid, _: uid < first)
        case p.Uids(ranges):
            return _in_ranges(ranges)
        case p.Not(inner):
            test = _compile(inner, keywords)
            return None if test is None else lambda uid, mask: not test(uid, mask)
        case p.And(several):
            tests = [_compile(one, keywords) for one in several]
            all_of = [one for one in tests if one is not None]
            if len(all_of) < len(tests):
                return None
            return lambda uid, mask: all(one(uid, mask) for one in all_of)
        case p.Or(a, b):
            left, right = _compile(a, keywords), _compile(b, keywords)
            if left is None or right is None:
                return None
            return lambda uid, mask: left(uid, mask) or right(uid, mask)
    return None


def _in_ranges(ranges: p.Ranges) -> Test:
    lows = [low for low, _ in ranges]
    highs = [high for _, high in ranges]

    def test(uid: int, _mask: int) -> bool:
        index = bisect_right(lows, uid) - 1
        return index >= 0 and uid <= highs[index]

    return test
