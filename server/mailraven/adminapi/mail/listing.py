"""One page of a mailbox: straight from its rows where flags are all that is asked for, else by a search."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

from mailraven.adminapi.mail.searching import Query
from mailraven.adminapi.paging import PageRequest, encode_cursor
from mailraven.mailstore import Listed, Listing, Mailstore


@dataclass(frozen=True, slots=True)
class Found:
    """Messages in the order that was asked for, and the cursor of what follows."""

    listing: Listing
    next: str | None


async def find_page(
    mailstore: Mailstore, account: int, mailbox: int, query: Query, page: PageRequest, *, newest: bool
) -> Found:
    """NoSuchMailbox."""
    after, wanted = page.after_id, query.wanted()
    if wanted is not None:
        listing = await mailstore.page(account, mailbox, wanted, after=after, newest=newest, limit=page.fetch)
        shown = listing.messages[: page.limit]
        more = len(listing.messages) > len(shown)
        return Found(replace(listing, messages=shown), _cursor(shown[-1].items.uid) if more else None)
    uids = await mailstore.search(account, mailbox, query.program(), ())
    ordered = _beyond(uids, after, newest=newest)
    part = ordered[: page.limit]
    listing = await mailstore.chosen(account, mailbox, part)
    if newest:
        listing = replace(listing, messages=listing.messages[::-1])
    # By what was found: some of it may have gone since.
    return Found(listing, _cursor(part[-1]) if len(ordered) > len(part) else None)


async def one(mailstore: Mailstore, account: int, mailbox: int, uid: int) -> tuple[Listing, Listed | None]:
    """A message, None if it is not there. NoSuchMailbox."""
    listing = await mailstore.chosen(account, mailbox, [uid])
    return listing, listing.messages[0] if listing.messages else None


def _beyond(uids: list[int], after: int | None, *, newest: bool) -> list[int]:
    if newest:
        return (uids if after is None else uids[: bisect_left(uids, after)])[::-1]
    return uids if after is None else uids[bisect_right(uids, after) :]


def _cursor(uid: int) -> str:
    return encode_cursor(uid)
