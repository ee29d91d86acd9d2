"""Many changes at the same time through two processes: no error surfaces, the rows agree, sessions end up right."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from mailraven.mailstore import (
    Delivery,
    HasChildren,
    InvalidName,
    LocalTarget,
    MailboxExists,
    MailboxInfo,
    MailboxView,
    Mailstore,
    NoSuchMailbox,
    Upload,
)
from mailraven.mailstore.flags import DELETED, FLAGGED, SEEN, flag_names

Audit = Callable[[], Awaitable[None]]

NAMES = ("INBOX", "Archive", "Trash", "a", "a/b", "a/c", "z")
KEYWORDS = tuple(f"k{number}" for number in range(12))
EXPECTED = (NoSuchMailbox, MailboxExists, HasChildren, InvalidName)


class Client:
    """A session with one mailbox open and pipelined commands of its own."""

    def __init__(self, store: Mailstore, account: int, seed: int) -> None:
        self.store = store
        self.account = account
        self.random = random.Random(seed)
        self.given: list[tuple[int, int]] = []
        self.claims: list[tuple[int, int, int]] = []

    async def box(self) -> MailboxInfo:
        return await self.store.mailbox(self.account, self.random.choice(NAMES))

    async def work(self, steps: int) -> None:
        for _ in range(steps):
            kind = self.random.choice(KINDS)
            try:
                await kind(self)
            except EXPECTED:
                continue

    async def append(self) -> None:
        box = await self.box()
        words = tuple(self.random.sample(KEYWORDS, 2))
        raw = b"Subject: x\r\n\r\n" + b"y" * self.random.choice((10, 3000))
        appended = await self.store.append(self.account, box.id, [Upload(raw, 0, words), Upload(raw)])
        assert appended.uids == sorted(set(appended.uids))
        self.given += [(box.id, uid) for uid in appended.uids]

    async def deliver(self) -> None:
        targets = (LocalTarget(self.account, "a@example.test"), LocalTarget(self.account, "b@example.test"))
        delivered = await self.store.intake.deliver(Delivery(b"Subject: y\r\n\r\nz\r\n", targets))
        self.given += [(box, uid) for _, box, uid in delivered.uids]

    async def flag(self) -> None:
        box = await self.box()
        uids = sorted(self.random.sample(range(1, max(box.uidnext, 9)), 5))
        operation = self.random.choice(("add", "remove", "replace"))
        mask = self.random.choice((SEEN, DELETED, FLAGGED, SEEN | DELETED))
        words = tuple(self.random.sample(KEYWORDS, self.random.randint(0, 2)))
        await self.store.store(self.account, box.id, uids, operation, mask, words)

    async def transfer(self) -> None:
        box = await self.box()
        change = self.store.move if self.random.random() < 0.6 else self.store.copy
        uids = sorted(self.random.sample(range(1, max(box.uidnext, 9)), 4))
        copied = await change(self.account, box.id, uids, self.account, self.random.choice(NAMES))
        assert len(copied.source) == len(copied.target)

    async def expunge(self) -> None:
        await self.store.expunge(self.account, (await self.box()).id)

    async def create(self) -> None:
        await self.store.create(self.account, self.random.choice(NAMES))

    async def delete(self) -> None:
        await self.store.delete(self.account, self.random.choice(NAMES[3:]))

    async def rename(self) -> None:
        await self.store.rename(self.account, self.random.choice(NAMES[3:]), self.random.choice(NAMES[3:]))

    async def claim(self) -> None:
        box = await self.box()
        first = await self.store.claim_recent(self.account, box.id)
        after = await self.store.mailbox(self.account, box.name)
        if after.id == box.id:
            self.claims.append((box.id, first, after.uidnext))


KINDS = (
    *[Client.append] * 4,
    *[Client.deliver] * 6,
    *[Client.flag] * 12,
    *[Client.transfer] * 5,
    *[Client.expunge] * 3,
    *[Client.create] * 2,
    Client.delete,
    *[Client.rename] * 2,
    Client.claim,
)


async def watch(store: Mailstore, view: MailboxView, seed: int, done: asyncio.Event) -> dict[int, frozenset[str]]:
    """Follow one mailbox by deltas until all is done; returns what a client would believe in the end."""
    chance = random.Random(seed)
    snapshot = view.snapshot()
    uids = snapshot.uids.tolist()[: snapshot.count]
    flags = {uid: view.flags(uid) for uid in uids}
    while True:
        last = done.is_set()
        if last or chance.random() < 0.5:
            await store.refresh(view)
        delta = view.since(snapshot, expunge=last or chance.random() < 0.5)
        for number in delta.expunged:
            flags.pop(uids.pop(number - 1))
        if delta.exists is not None:
            uids = delta.snapshot.uids.tolist()[: delta.exists]
            assert uids == sorted(set(uids))
            for uid in uids:
                flags.setdefault(uid, view.flags(uid))
        for uid in delta.changed:
            flags[uid] = view.flags(uid)
        assert uids == sorted(flags)
        snapshot = delta.snapshot
        if last or view.gone:
            break
        await asyncio.sleep(0)
    return {uid: frozenset(flag_names(view.keywords, mask)) for uid, mask in flags.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_everything_at_once(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, audit: Audit, seed: int
) -> None:
    stores = (mailstore, elsewhere)
    for name in NAMES[3:]:
        if name not in ("a", "z"):
            await mailstore.create(account, name)
    clients = [Client(stores[number % 2], account, seed * 100 + number) for number in range(10)]
    inbox = await mailstore.mailbox(account, "INBOX")
    archive = await mailstore.mailbox(account, "Archive")
    opened = [(store, await store.view(account, box.id)) for store in stores for box in (inbox, archive) for _ in "12"]
    done = asyncio.Event()
    watching = [
        asyncio.create_task(watch(store, view, seed * 1000 + number, done))
        for number, (store, view) in enumerate(opened)
    ]
    await asyncio.gather(*(client.work(30) for client in clients))
    done.set()
    beliefs = await asyncio.gather(*watching)
    given = [pair for client in clients for pair in client.given]
    assert len(given) == len(set(given))
    for (store, view), belief in zip(opened, beliefs, strict=True):
        fresh = await Client(store, account, 0).store.view(account, view.mailbox)
        names = {uid: frozenset(flag_names(fresh.keywords, mask)) for uid, mask, _ in fresh.rows(fresh.snapshot().uids)}
        assert belief == names
        store.release(fresh)
        store.release(view)
    await audit()
