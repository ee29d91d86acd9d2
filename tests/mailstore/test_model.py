"""Random changes through two processes against the simplest model; sessions of both follow by what they are told."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from mailraven.db import Database
from mailraven.mailstore import (
    Delivery,
    HasChildren,
    LocalTarget,
    MailboxExists,
    MailboxView,
    Mailstore,
    NoSuchMailbox,
    Snapshot,
    Upload,
    uidset,
)
from mailraven.mailstore.flags import SYSTEM_FLAGS, flag_names

Audit = Callable[[], Awaitable[None]]

SYSTEM = tuple(SYSTEM_FLAGS)
KEYWORDS = ("$forwarded", "Junk", "blue", "green")
NAMES = ("INBOX", "Archive", "a", "a/b", "a/b/c", "z")
STEPS = 220


@dataclass
class Mail:
    raw: bytes
    flags: frozenset[str]
    modseq: int


@dataclass
class Box:
    id: int
    uidvalidity: int
    modseq: int
    uidnext: int = 1
    recent_from: int = 1
    mail: dict[int, Mail] = field(default_factory=dict)
    expunged: set[int] = field(default_factory=set)


class Session:
    """Keeps its numbering and flags only by what it is told, as a client does."""

    def __init__(self, store: Mailstore, view: MailboxView) -> None:
        self.store = store
        self.view = view
        self.snapshot: Snapshot = view.snapshot()
        self.uids = self.snapshot.uids.tolist()[: self.snapshot.count]
        self.flags = {uid: self._flags(uid) for uid in self.uids}

    def _flags(self, uid: int) -> frozenset[str]:
        mask = self.view.flags(uid)
        names = frozenset(name.lower() for name in flag_names(self.view.keywords, mask))
        assert len(names) == mask.bit_count(), "a flag whose keyword the view does not know"
        return names

    def sync(self, *, expunge: bool) -> None:
        delta = self.view.since(self.snapshot, expunge=expunge)
        assert expunge or not delta.expunged
        for number in delta.expunged:
            self.flags.pop(self.uids.pop(number - 1))
        if delta.exists is not None:
            before, self.uids = self.uids, delta.snapshot.uids.tolist()[: delta.exists]
            assert self.uids[: len(before)] == before
            for uid in self.uids[len(before) :]:
                assert not before or uid > before[-1]
                self.flags[uid] = self._flags(uid)
        for uid in delta.changed:
            assert uid in self.flags
            self.flags[uid] = self._flags(uid)
        self.snapshot = delta.snapshot


class World:
    """The model, and one method for each kind of step."""

    def __init__(self, seed: int, stores: tuple[Mailstore, Mailstore], account: int) -> None:
        self.random = random.Random(seed)
        self.stores = stores
        self.account = account
        self.boxes: dict[str, Box] = {}
        self.sessions: list[tuple[Session, Box]] = []
        self.number = 0

    async def adopt(self) -> None:
        for info in await self.stores[0].list_mailboxes(self.account):
            self.boxes[info.name] = Box(info.id, info.uidvalidity, info.modseq)

    @property
    def store(self) -> Mailstore:
        return self.random.choice(self.stores)

    def pick(self) -> tuple[str, Box]:
        return self.random.choice([(name, box) for name, box in self.boxes.items() if name in NAMES])

    def some_uids(self, box: Box) -> list[int]:
        top = box.uidnext + 2
        if self.random.random() < 0.3:
            low = self.random.randint(1, top)
            return list(range(low, min(low + self.random.randint(1, 15), top) + 1))
        return sorted(self.random.sample(range(1, top + 1), min(top, self.random.randint(1, 6))))

    def some_flags(self) -> tuple[int, tuple[str, ...], frozenset[str]]:
        names = self.random.sample(SYSTEM, self.random.randint(0, 2))
        keywords = tuple(self.random.sample(KEYWORDS, self.random.randint(0, 2)))
        mask = sum(SYSTEM_FLAGS[name] for name in names)
        cased = tuple(self.random.choice((word, word.upper())) for word in keywords)
        return mask, cased, frozenset(name.lower() for name in (*names, *keywords))

    def some_mail(self) -> bytes:
        self.number += 1
        filler = "x" * self.random.choice((0, 0, 0, 3000))
        return f"Subject: number {self.number}\r\n\r\nbody {self.number}{filler}\r\n".encode()

    async def changed(self, box: Box, name: str) -> int:
        """The new MODSEQ of a mailbox that changed."""
        info = await self.store.mailbox(self.account, name)
        assert info.modseq > box.modseq
        box.modseq = info.modseq
        return info.modseq

    def arrived(self, box: Box, uids: Sequence[int], mails: Sequence[Mail]) -> None:
        assert list(uids) == sorted(set(uids))
        assert not uids or uids[0] >= box.uidnext
        box.mail.update(zip(uids, mails, strict=True))
        box.uidnext = uids[-1] + 1 if uids else box.uidnext

    # -- steps -------------------------------------------------------------------------------------------------

    async def append(self) -> None:
        name, box = self.pick()
        uploads, mails = [], []
        for _ in range(self.random.randint(1, 3)):
            mask, keywords, names = self.some_flags()
            uploads.append(Upload(self.some_mail(), mask, keywords))
            mails.append(Mail(uploads[-1].raw, names, 0))
        appended = await self.store.append(self.account, box.id, uploads)
        assert appended.uidvalidity == box.uidvalidity
        modseq = await self.changed(box, name)
        self.arrived(box, appended.uids, [Mail(mail.raw, mail.flags, modseq) for mail in mails])

    async def deliver(self) -> None:
        raw, prefix, box = self.some_mail(), b"Delivered-To: a\r\n", self.boxes["INBOX"]
        target = LocalTarget(self.account, "alice@example.test", prefix)
        delivered = await self.store.intake.deliver(Delivery(raw, (target,)))
        modseq = await self.changed(box, "INBOX")
        self.arrived(box, [uid for _, _, uid in delivered.uids], [Mail(prefix + raw, frozenset(), modseq)])

    async def store_flags(self) -> None:
        name, box = self.pick()
        uids, (mask, keywords, names) = self.some_uids(box), self.some_flags()
        operation = self.random.choice(("add", "remove", "replace"))
        limit = self.random.choice((None, None, None, 0, box.modseq, self.random.randint(1, box.modseq)))
        stored = await self.store.store(self.account, box.id, uids, operation, mask, keywords, limit)
        known = [uid for uid in uids if uid in box.mail]
        failed = [uid for uid in known if limit is not None and box.mail[uid].modseq > limit]
        changes = {}
        for uid in set(known) - set(failed):
            old = box.mail[uid].flags
            new = {"add": old | names, "remove": old - names, "replace": names}[operation]
            if new != old:
                changes[uid] = new
        assert (sorted(stored.changed), stored.failed) == (sorted(changes), failed)
        if changes:
            assert await self.changed(box, name) == stored.modseq
        for uid, new in changes.items():
            box.mail[uid] = Mail(box.mail[uid].raw, new, stored.modseq)

    async def copy_or_move(self) -> None:
        (name, box), (target_name, target) = self.pick(), self.pick()
        moving, uids, store = self.random.random() < 0.5, self.some_uids(box), self.store
        change = store.move if moving else store.copy
        copied = await change(self.account, box.id, uids, self.account, target_name)
        assert copied.source == [uid for uid in uids if uid in box.mail]
        if not copied.source:
            return
        modseq = await self.changed(target, target_name)
        mails = [Mail(box.mail[uid].raw, box.mail[uid].flags, modseq) for uid in copied.source]
        if moving and target is not box:
            await self.changed(box, name)
        if moving:
            for uid in copied.source:
                del box.mail[uid]
            box.expunged.update(copied.source)
            if target is box:  # two changes: the copy's MODSEQ is the one before
                mails = [Mail(mail.raw, mail.flags, modseq - 1) for mail in mails]
        self.arrived(target, copied.target, mails)

    async def expunge(self) -> None:
        name, box = self.pick()
        uids = None if self.random.random() < 0.3 else self.some_uids(box)
        doomed = [u for u in sorted(box.mail) if "\\deleted" in box.mail[u].flags and (uids is None or u in uids)]
        assert await self.store.expunge(self.account, box.id, uids) == doomed
        if doomed:
            await self.changed(box, name)
        for uid in doomed:
            del box.mail[uid]
        box.expunged.update(doomed)

    async def create(self) -> None:
        name = self.random.choice(NAMES)
        parts = name.split("/")
        missing = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        missing = [one for one in missing if one not in self.boxes]
        if name in self.boxes:
            with pytest.raises(MailboxExists):
                await self.store.create(self.account, name)
            return
        await self.store.create(self.account, name)
        await self._adopt(missing)

    async def _adopt(self, names: Sequence[str]) -> None:
        highest = max(box.uidvalidity for box in self.boxes.values())
        for name in names:
            info = await self.store.mailbox(self.account, name)
            assert info.uidvalidity > highest
            highest = info.uidvalidity
            self.boxes[name] = Box(info.id, info.uidvalidity, info.modseq)

    async def delete(self) -> None:
        name = self.random.choice(NAMES[1:])
        if name not in self.boxes:
            children = any(other.startswith(name + "/") for other in self.boxes)
            with pytest.raises(HasChildren if children else NoSuchMailbox):
                await self.store.delete(self.account, name)
            return
        await self.store.delete(self.account, name)
        gone = self.boxes.pop(name)
        for session, box in self.sessions:
            if box is gone:
                await session.store.refresh(session.view)
                assert session.view.gone
                session.store.release(session.view)
        self.sessions = [(session, box) for session, box in self.sessions if box is not gone]

    async def rename(self) -> None:
        old, new = self.random.choice(
            (("a", "y"), ("a/b", "z"), ("z", "a"), ("y", "a"), ("INBOX", f"old{self.number}"))
        )
        expected: type[Exception] | None = None
        if new in self.boxes:
            expected = MailboxExists
        elif not any(name == old or name.startswith(old + "/") for name in self.boxes):
            expected = NoSuchMailbox
        elif any(new + name[len(old) :] in self.boxes for name in self.boxes if name.startswith(old + "/")):
            expected = MailboxExists
        if expected is not None:
            with pytest.raises(expected):
                await self.store.rename(self.account, old, new)
            return
        await self.store.rename(self.account, old, new)
        if old == "INBOX":
            await self._inbox_renamed(new)
            return
        moving = [name for name in self.boxes if name == old or name.startswith(old + "/")]
        for name, box in [(name, self.boxes.pop(name)) for name in moving]:
            self.boxes[new + name[len(old) :]] = box

    async def _inbox_renamed(self, new: str) -> None:
        await self._adopt([new])
        inbox, target = self.boxes["INBOX"], self.boxes[new]
        if inbox.mail:
            await self.changed(inbox, "INBOX")
        mails = [Mail(inbox.mail[uid].raw, inbox.mail[uid].flags, target.modseq) for uid in sorted(inbox.mail)]
        inbox.expunged.update(inbox.mail)
        inbox.mail.clear()
        self.arrived(target, range(1, len(mails) + 1), mails)

    async def recent(self) -> None:
        name, box = self.pick()
        before = await self.store.mailbox(self.account, name)
        assert before.recent == sum(uid >= box.recent_from for uid in box.mail)
        assert await self.store.claim_recent(self.account, box.id) == box.recent_from
        box.recent_from = box.uidnext

    async def open(self) -> None:
        if len(self.sessions) < 12:
            (_, box), store = self.pick(), self.store
            session = Session(store, await store.view(self.account, box.id))
            self.sessions.append((session, box))
            self.check_session(session, box)

    async def close(self) -> None:
        if self.sessions:
            session, _ = self.sessions.pop(self.random.randrange(len(self.sessions)))
            session.store.release(session.view)

    async def sync(self) -> None:
        if self.sessions:
            session, box = self.random.choice(self.sessions)
            fresh, expunge = self.random.random() < 0.4, self.random.random() < 0.6
            if fresh:
                await session.store.refresh(session.view)
            session.sync(expunge=expunge)
            if fresh and expunge:
                self.check_session(session, box)

    # -- checks ------------------------------------------------------------------------------------------------

    def check_session(self, session: Session, box: Box) -> None:
        view = session.view
        assert session.uids == sorted(box.mail)
        assert session.flags == {uid: mail.flags for uid, mail in box.mail.items()}
        assert {uid: view.modseq(uid) for uid in session.uids} == {uid: mail.modseq for uid, mail in box.mail.items()}
        assert (view.highest_modseq, view.uidnext, view.uidvalidity) == (box.modseq, box.uidnext, box.uidvalidity)

    async def check(self, database: Database) -> None:
        for session, box in self.sessions:
            await session.store.refresh(session.view)
            session.sync(expunge=True)
            self.check_session(session, box)
        infos = await self.store.list_mailboxes(self.account)
        assert sorted(info.name for info in infos) == sorted(self.boxes)
        for info in infos:
            box = self.boxes[info.name]
            mails = box.mail.values()
            assert (info.id, info.uidvalidity, info.modseq) == (box.id, box.uidvalidity, box.modseq)
            assert (info.messages, info.bytes) == (len(mails), sum(len(mail.raw) for mail in mails))
            assert info.unseen == sum("\\seen" not in mail.flags for mail in mails)
            assert info.deleted == sum("\\deleted" in mail.flags for mail in mails)
            await self._check_rows(database, box)

    async def _check_rows(self, database: Database, box: Box) -> None:
        refs = []
        async for chunk in self.store.fetch(self.account, box.id, sorted(box.mail)):
            refs += [item.body for item in chunk]
        octets = [raw async for chunk in self.store.read_many(refs, budget=5000) for raw in chunk]
        assert octets == [box.mail[uid].raw for uid in sorted(box.mail)]
        async with database.acquire() as connection:
            rows = await connection.fetch("SELECT expunged FROM mailbox_change WHERE mailbox_id = $1", box.id)
        tombstones = [uid for row in rows for uid in uidset.decode(row[0])]
        assert sorted(tombstones) == sorted(box.expunged)


WEIGHTS = {
    "append": 6,
    "deliver": 5,
    "store_flags": 14,
    "copy_or_move": 6,
    "expunge": 5,
    "create": 3,
    "delete": 1,
    "rename": 2,
    "recent": 3,
    "open": 5,
    "close": 2,
    "sync": 16,
}


@pytest.mark.parametrize("seed", range(8))
async def test_all_views_agree_with_the_model(
    mailstore: Mailstore, elsewhere: Mailstore, database: Database, account: int, audit: Audit, seed: int
) -> None:
    world = World(seed, (mailstore, elsewhere), account)
    await world.adopt()
    kinds = world.random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=STEPS)
    for step, kind in enumerate(kinds):
        try:
            await getattr(world, kind)()
        except BaseException as error:
            error.add_note(f"seed {seed}, step {step}: {kind}")
            raise
    await world.check(database)
    await audit()
    for session, _ in world.sessions:
        session.store.release(session.view)
