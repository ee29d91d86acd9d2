"""Flags by name to the mailstore's masks and back (RFC 9051 §2.3.2). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailraven.mailstore import flags as bits

_CANONICAL = {name.lower(): name for name in bits.SYSTEM_FLAGS}


class Split(NamedTuple):
    """System flags as a mask, and keywords as written."""

    mask: int
    keywords: tuple[str, ...]


class Names(NamedTuple):
    """System flags and keywords of a message."""

    flags: tuple[str, ...]
    keywords: tuple[str, ...]


def split(names: Iterable[str]) -> Split:
    """Names that the models have checked."""
    mask = 0
    keywords: dict[str, str] = {}
    for name in names:
        known = _CANONICAL.get(name.lower())
        if known is not None:
            mask |= bits.SYSTEM_FLAGS[known]
        else:
            keywords.setdefault(name.lower(), name)
    return Split(mask, tuple(keywords.values()))


def canonical(name: str) -> str:
    """A system flag in its own case; a keyword as it is."""
    return _CANONICAL.get(name.lower(), name)


def names(keywords: Sequence[str], mask: int) -> Names:
    """The names in a mask."""
    found = bits.flag_names(keywords, mask)
    system = tuple(name for name in found if name in bits.SYSTEM_FLAGS)
    return Names(system, tuple(found[len(system) :]))
