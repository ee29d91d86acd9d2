"""Flags and keywords: names on the wire <-> canonical values (RFC 9051 §2.3.2, §9 flag)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailraven.imap.abnf import ATOM_CHAR
from mailraven.imap.errors import SyntaxProblem

SYSTEM_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
"""Bit i of a flag mask is SYSTEM_FLAGS[i]; bit 5+i is the mailbox's keyword i."""
FIRST_KEYWORD_BIT = len(SYSTEM_FLAGS)
RECENT = 1 << 63
"""A session's own bit: it renders as \\Recent and is never stored."""
MAX_KEYWORD_LENGTH = 100

_SYSTEM = {name.lower(): (name, 1 << bit) for bit, name in enumerate(SYSTEM_FLAGS)}


@dataclass(frozen=True, slots=True)
class Flags:
    """A flag list: a mask of system flags, and keywords as written, each once."""

    mask: int = 0
    keywords: tuple[str, ...] = ()


NO_FLAGS = Flags()


def keyword(name: bytes) -> str:
    """A valid keyword, as written, or SyntaxProblem."""
    if not name or name.translate(None, ATOM_CHAR):
        raise SyntaxProblem("a keyword must be an atom")
    if len(name) > MAX_KEYWORD_LENGTH:
        raise SyntaxProblem(f"a keyword may have {MAX_KEYWORD_LENGTH} characters at most")
    return name.decode("ascii")


def flags_of(names: Iterable[bytes]) -> Flags:
    """Flags that a client may set. System flags and keywords are case-insensitive (RFC 9051 §2.3.2)."""
    mask = 0
    keywords: dict[str, str] = {}
    for name in names:
        if name.startswith(b"\\"):
            known = _SYSTEM.get(name.decode("ascii", "replace").lower())
            if known is None:
                raise SyntaxProblem("unknown system flag, or one that only the server sets")
            mask |= known[1]
        else:
            word = keyword(name)
            keywords.setdefault(word.lower(), word)
    return Flags(mask, tuple(keywords.values()))


def flag_names(mask: int, keywords: Sequence[str]) -> list[str]:
    """Names for a mask, in the order of the bits; \\Recent last."""
    names = [name for bit, name in enumerate(SYSTEM_FLAGS) if mask >> bit & 1]
    rest = (mask & ~RECENT) >> FIRST_KEYWORD_BIT
    for name in keywords:
        if not rest:
            break
        if rest & 1:
            names.append(name)
        rest >>= 1
    if mask & RECENT:
        names.append("\\Recent")
    return names
