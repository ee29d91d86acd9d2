"""Flag masks as flag lists of FETCH and FLAGS responses (RFC 3501 §7.2.6, §7.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from mailraven.mailstore.flags import MAX_KEYWORDS, SYSTEM_FLAGS, flag_names

_RECENT = 1 << 63


class FlagLists:
    """Renders masks of one mailbox; remembers, as a mailbox has few different ones. Lives for one command."""

    __slots__ = ("_first_recent", "_keywords", "_known")

    def __init__(self, keywords: Sequence[str], first_recent: int) -> None:
        self._keywords = keywords
        self._first_recent = first_recent
        self._known: dict[int, bytes] = {}

    def of(self, uid: int, mask: int) -> bytes:
        r"""The list without its parentheses, \Recent included where it applies."""
        key = mask | _RECENT if uid >= self._first_recent else mask
        text = self._known.get(key)
        if text is None:
            names = flag_names(self._keywords, mask)
            if key & _RECENT:
                names.append("\\Recent")
            text = self._known[key] = " ".join(names).encode("ascii")
        return text


def announce_flags(keywords: Sequence[str], *, read_only: bool) -> bytes:
    r"""The FLAGS and PERMANENTFLAGS responses; `\*` while there is room for new keywords (RFC 9051 §7.1)."""
    names = [*SYSTEM_FLAGS, *keywords]
    permanent = [] if read_only else [*names, *(["\\*"] if len(keywords) < MAX_KEYWORDS else [])]
    text = "No permanent flags" if read_only else "Flags that stay"
    return (
        f"* FLAGS ({' '.join(names)})\r\n* OK [PERMANENTFLAGS ({' '.join(permanent)})] {text}\r\n".encode("ascii")
    )
