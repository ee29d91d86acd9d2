"""Clients that fetch one message after the other, with a command for each (mbsync does): from the second on, the
messages after it are read along. What is held is bounded, immutable, and dropped when the client does something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailraven.mailstore import BodyRef, Items, MailboxView, Mailstore, Snapshot

_FIRST_BATCH = 8
_LARGEST_BATCH = 256
_GAP = 4
"""A client that leaves out a few messages still goes on."""
_HELD_OCTETS = 1024 * 1024
_HELD_MESSAGE = 64 * 1024


@dataclass(slots=True)
class Ahead:
    """What was read along, by UID and by body; `next` is the sequence number that would go on."""

    next: int
    batch: int = 0
    items: dict[int, Items] = field(default_factory=dict)
    octets: dict[BodyRef, bytes] = field(default_factory=dict)


async def read_one(
    mailstore: Mailstore, view: MailboxView, snapshot: Snapshot, ahead: Ahead | None, number: int, *, octets: bool
) -> Ahead:
    """The new state, whose `items` hold the message if it is still there, perhaps with its octets."""
    uid = snapshot.uids[number - 1]
    goes_on = ahead is not None and ahead.next <= number < ahead.next + _GAP
    if ahead is not None and goes_on and uid in ahead.items:
        ahead.next = number + 1
        return ahead
    batch = min(max(2 * ahead.batch, _FIRST_BATCH), _LARGEST_BATCH) if ahead is not None and goes_on else 0
    uids = list(snapshot.uids[number - 1 : min(number - 1 + max(batch, 1), snapshot.count)])
    new = Ahead(number + 1, batch)
    async for chunk in mailstore.fetch(view.account, view.mailbox, uids):
        new.items.update((item.uid, item) for item in chunk)
    if octets and batch:
        await _hold(mailstore, new)
    return new


async def _hold(mailstore: Mailstore, ahead: Ahead) -> None:
    refs: list[BodyRef] = []
    total = 0
    for item in ahead.items.values():
        total += item.size
        if item.size > _HELD_MESSAGE or total > _HELD_OCTETS:
            break
        refs.append(item.body)
    read = 0
    async for raws in mailstore.read_many(refs):
        ahead.octets.update(zip(refs[read : read + len(raws)], raws, strict=True))
        read += len(raws)
    # Only messages whose octets are held may be answered from here: the next batch begins after them.
    ahead.items = dict(list(ahead.items.items())[: max(len(refs), 1)])
    ahead.batch = len(refs)
