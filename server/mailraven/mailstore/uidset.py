"""Sets of UIDs in text, as mailbox_change keeps them: `1:5,7`, made by mailraven.imap's compact()."""

from __future__ import annotations

from collections.abc import Sequence


def decode(text: str) -> list[int]:
    """UIDs of the text, ascending as written."""
    uids: list[int] = []
    for part in text.split(","):
        if part:
            low, colon, high = part.partition(":")
            uids.extend(range(int(low), int(high if colon else low) + 1))
    return uids


def is_dense(uids: Sequence[int]) -> bool:
    """Whether reading the whole range of these ascending UIDs is cheaper than looking each up."""
    return len(uids) > 8 and uids[-1] - uids[0] < 2 * len(uids)
