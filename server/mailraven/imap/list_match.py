"""LIST pattern matching (RFC 9051 §6.3.9) and the tree that a set of names makes (RFC 3348, RFC 5258)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailraven.imap.mailbox_name import DELIMITER, INBOX


class Pattern:
    """A LIST pattern: `*` is any text, `%` any text without the delimiter; INBOX in any case.

    All positions of the pattern that may be reached are the bits of one number, so a name costs one step for each
    of its characters, however many wildcards there are.
    """

    __slots__ = ("_accept", "_any", "_letters", "_level", "_same_any_case", "_start", "reports_parents")

    def __init__(self, text: str) -> None:
        pattern = _collapse(text)
        self.reports_parents = pattern.endswith("%")
        """RFC 9051 §6.3.9: a `%` at the end also finds levels that are no mailboxes themselves."""
        bits: dict[str, int] = {}
        for position, c in enumerate(pattern):
            bits[c] = bits.get(c, 0) | 1 << position
        self._any = bits.pop("*", 0)
        self._level = bits.pop("%", 0)
        self._letters = bits
        self._same_any_case: dict[str, int] = {}
        for c in INBOX:
            self._same_any_case[c] = self._letters.get(c, 0) | self._letters.get(c.lower(), 0)
        self._accept = 1 << len(pattern)
        self._start = self._skip_wildcards(1)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        states = self._start
        inbox = len(INBOX) if name == INBOX or name.startswith(INBOX + DELIMITER) else 0
        for position, c in enumerate(name):
            letters = self._same_any_case[c] if position < inbox else self._letters.get(c, 0)
            stay = self._any if c == DELIMITER else self._any | self._level
            states = self._skip_wildcards((states & stay) | (states & letters) << 1)
            if not states:
                return False
        return bool(states & self._accept)

    def _skip_wildcards(self, states: int) -> int:
        """A wildcard may match nothing; no two are neighbours, so one step is enough."""
        return states | (states & (self._any | self._level)) << 1


@dataclass(frozen=True, slots=True)
class Match:
    """A name that LIST or LSUB finds. `exists` is False for a level that only has mailboxes below it."""

    name: str
    exists: bool
    has_children: bool


def matches(names: Iterable[str], reference: str, patterns: Sequence[str]) -> list[Match]:
    """What of `names` (canonical, INBOX in capitals) the patterns find, sorted with INBOX first, each once."""
    known = set(names)
    parents = parents_of(known)
    compiled = [Pattern(reference + pattern) for pattern in patterns]
    found = [name for name in known if any(pattern.matches(name) for pattern in compiled)]
    reporting = [pattern for pattern in compiled if pattern.reports_parents]
    if reporting:
        found += [name for name in parents - known if any(pattern.matches(name) for pattern in reporting)]
    found.sort(key=lambda name: (name != INBOX, name.split(DELIMITER)))
    return [Match(name, name in known, name in parents) for name in found]


def parents_of(names: Iterable[str]) -> set[str]:
    """Every name that has one of `names` below it, whether it exists or not."""
    parents: set[str] = set()
    for name in names:
        end = name.rfind(DELIMITER)
        while end > 0:
            parent = name[:end]
            if parent in parents:
                break  # and so are those above it
            parents.add(parent)
            end = name.rfind(DELIMITER, 0, end)
    return parents


def _collapse(text: str) -> str:
    """Runs of wildcards mean what their strongest means: `*` if there is one."""
    out: list[str] = []
    for c in text:
        if c in "*%" and out and out[-1] in "*%":
            if c == "*":
                out[-1] = c
        else:
            out.append(c)
    return "".join(out)
