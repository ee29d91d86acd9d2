"""Flags as a bit mask: five system flags, then the mailbox's keywords (RFC 9051 §2.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16
SYSTEM = 31

FIRST_KEYWORD_BIT = 5
MAX_KEYWORDS = 58  # bits 5..62 of a signed 64-bit integer

SYSTEM_FLAGS: dict[str, int] = {
    "\\Seen": SEEN,
    "\\Answered": ANSWERED,
    "\\Flagged": FLAGGED,
    "\\Deleted": DELETED,
    "\\Draft": DRAFT,
}


def keyword_bit(index: int) -> int:
    """The mask of keyword number `index` (from 0) of a mailbox."""
    return 1 << (FIRST_KEYWORD_BIT + index)


def find_keyword(keywords: Sequence[str], name: str) -> int | None:
    """Index of a keyword; keywords are case-insensitive (RFC 9051 §2.3.2)."""
    wanted = name.lower()
    for index, keyword in enumerate(keywords):
        if keyword.lower() == wanted:
            return index
    return None


def mask_of(keywords: Sequence[str], names: Iterable[str]) -> tuple[int, list[str]]:
    """The mask of those `names` that the mailbox has, and the names it does not have yet."""
    mask, missing = 0, []
    distinct: dict[str, str] = {}
    for name in names:
        distinct.setdefault(name.lower(), name)
    for name in distinct.values():
        index = find_keyword(keywords, name)
        if index is None:
            missing.append(name)
        else:
            mask |= keyword_bit(index)
    return mask, missing


def flag_names(keywords: Sequence[str], mask: int) -> list[str]:
    """Names of the flags in a mask, system flags first."""
    names = [name for name, bit in SYSTEM_FLAGS.items() if mask & bit]
    rest = mask >> FIRST_KEYWORD_BIT
    index = 0
    while rest:
        if rest & 1 and index < len(keywords):
            names.append(keywords[index])
        rest >>= 1
        index += 1
    return names
