"""Each race, cut and refusal by itself: what two processes, a broken connection or a vanishing client may do."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.mailstore import (
    Delivery,
    LocalTarget,
    MailboxExists,
    MailboxView,
    Mailstore,
    NoSuchMailbox,
    RemoteRecipient,
    Unavailable,
    Upload,
    program,
    views,
)
from mailraven.mailstore.flags import DELETED, FLAGGED, SEEN

Audit = Callable[[], Awaitable[None]]

RAW = b"Subject: x\r\n\r\ny\r\n"


def to(account: int, mailbox: str = "INBOX") -> tuple[LocalTarget, ...]:
    return (LocalTarget(account, "alice@example.test", mailbox=mailbox),)


@asynccontextmanager
async def rival(dsn: str) -> AsyncIterator[Any]:
    """A connection of somebody else, in a transaction that is committed at the end."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def until_blocked(dsn: str) -> None:
    """Until a backend of this database waits for a lock."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(10):
            while not await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def test_two_children_made_at_once_share_the_parent_that_was_missing(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, dsn: str
) -> None:
    async with rival(dsn) as other:
        await other.execute("SELECT 1 FROM account WHERE id = $1 FOR UPDATE", account)
        making = [
            asyncio.create_task(store.create(account, name)) for store, name in ((mailstore, "p/a"), (elsewhere, "p/b"))
        ]
        await until_blocked(dsn)
    assert [box.name for box in await asyncio.gather(*making)] == ["p/a", "p/b"]


async def test_rename_locks_mailboxes_in_id_order(mailstore: Mailstore, account: int, dsn: str) -> None:
    first, last = await mailstore.create(account, "p/1"), await mailstore.create(account, "p/2")
    for _ in range(3):  # the row of p/1 moves behind that of p/2
        await mailstore.append(account, first.id, [Upload(RAW)])
    async with rival(dsn) as other:
        lock = "SELECT 1 FROM mailbox WHERE account_id = $1 AND id = $2 FOR UPDATE"
        await other.execute("SET LOCAL lock_timeout = '2s'")
        await other.execute(lock, account, first.id)
        renaming = asyncio.create_task(mailstore.rename(account, "p", "q"))
        await until_blocked(dsn)
        await other.execute(lock, account, last.id)
    await renaming
    assert (await mailstore.mailbox(account, "q/2")).id == last.id


@pytest.mark.parametrize("size", [10, 5000])
async def test_what_was_for_a_deleted_mailbox_leaves_nothing_behind(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, database: Database, audit: Audit, size: int
) -> None:
    box = await mailstore.create(account, "x")
    raw = RAW + b"z" * size
    await mailstore.intake.deliver(Delivery(raw, to(account, "x")))
    await elsewhere.delete(account, "x")
    with pytest.raises(NoSuchMailbox):
        await mailstore.append(account, box.id, [Upload(raw), Upload(raw)])
    remote = (RemoteRecipient("a@remote.test", "remote.test"),)
    with pytest.raises(NoSuchMailbox):
        await mailstore.intake.deliver(Delivery(raw, to(account, "x"), remote, submitter_account=account))
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM queue_message") == 0
        assert await connection.fetchval("SELECT count(*) FROM body") == 1
    await audit()


async def test_mail_for_a_remote_recipient_only_has_its_body(
    mailstore: Mailstore, account: int, database: Database, audit: Audit
) -> None:
    remote = (RemoteRecipient("a@remote.test", "remote.test"),)
    first, second = await asyncio.gather(
        mailstore.intake.deliver(Delivery(RAW, (), remote, submitter_account=account)),
        mailstore.intake.deliver(Delivery(RAW, to(account))),
    )
    assert first.queue_id is not None
    assert len(second.uids) == 1
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM body") == 2
    await audit()


async def test_one_message_that_cannot_be_stored_hurts_no_other(mailstore: Mailstore, account: int) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    beyond = datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12)))
    uploads = [Upload(RAW, 0, (), beyond if number == 3 else datetime.now(UTC)) for number in range(8)]
    results = await asyncio.gather(
        *(mailstore.append(account, box, [upload]) for upload in uploads), return_exceptions=True
    )
    assert [number for number, result in enumerate(results) if isinstance(result, BaseException)] == [3]
    assert isinstance(results[3], Unavailable)


async def test_an_unforeseen_error_fails_one_message_and_leaves_nobody_waiting(
    mailstore: Mailstore, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = mailstore.intake._execute

    async def fragile(connection: Any, batch: list[Any], **options: Any) -> Any:
        if any(arrival.body.size == 3 for arrival in batch):
            raise KeyError("odd")
        return await execute(connection, batch, **options)

    monkeypatch.setattr(mailstore.intake, "_execute", fragile)
    raws = [b"abc" if number == 2 else RAW for number in range(300)]
    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(mailstore.intake.deliver(Delivery(raw, to(account))) for raw in raws), return_exceptions=True
        )
    assert [number for number, result in enumerate(results) if isinstance(result, BaseException)] == [2]


async def test_who_went_away_before_the_commit_began_is_not_delivered(
    mailstore: Mailstore, account: int, dsn: str
) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    async with rival(dsn) as other:
        await other.execute("SELECT 1 FROM mailbox WHERE id = $1 FOR UPDATE", box)
        first = asyncio.create_task(mailstore.intake.deliver(Delivery(RAW, to(account))))
        await until_blocked(dsn)
        others = [asyncio.create_task(mailstore.intake.deliver(Delivery(RAW, to(account)))) for _ in range(3)]
        await asyncio.sleep(0)
        others[1].cancel()
    await asyncio.gather(first, others[0], others[2])
    assert (await mailstore.mailbox(account, "INBOX")).messages == 3


async def test_a_commit_of_unknown_outcome_is_found_again_after_another_failure(
    mailstore: Mailstore, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, but the answer was lost; the next try meets a bug, and then they are tried one by one."""
    execute = mailstore.intake._execute_and_publish
    troubles: list[Exception] = [asyncpg.ConnectionDoesNotExistError("cut"), KeyError("odd")]
    tries = 0

    async def troubled(connection: Any, batch: Any) -> Any:
        nonlocal tries
        tries += 1
        if troubles and len(batch) > 1:
            if len(troubles) == 2:
                await execute(connection, batch)
            raise troubles.pop(0)
        return await execute(connection, batch)

    monkeypatch.setattr(mailstore.intake, "_execute_and_publish", troubled)
    results = await asyncio.gather(*(mailstore.intake.deliver(Delivery(RAW, to(account) * 2)) for _ in range(5)))
    assert not troubles
    assert sorted(uid for result in results for _, _, uid in result.uids) == list(range(1, 11))
    assert (await mailstore.mailbox(account, "INBOX")).messages == 10


async def test_delivery_inside_a_transaction_needs_no_second_connection(
    dsn: str, blobs: FileBlobStore, account: int
) -> None:
    database = await Database.connect(dsn, size=1)
    store = Mailstore(database, blobs)
    async with asyncio.timeout(8), database.transaction() as connection:
        delivered = await store.intake.deliver_on(connection, Delivery(RAW, to(account)))
    assert [uid for _, _, uid in delivered.uids] == [1]
    await store.close()
    await database.close()


async def test_every_operation_gets_by_with_one_connection(
    dsn: str, blobs: FileBlobStore, account: int, audit: Audit
) -> None:
    database = await Database.connect(dsn, size=1)
    store = Mailstore(database, blobs, inline_max=10)
    box = (await store.mailbox(account, "INBOX")).id

    async def everything() -> None:
        await store.append(account, box, [Upload(RAW, 0, ("k",))])
        view = await store.view(account, box)
        await store.store(account, box, [1], "add", FLAGGED, ["l"])
        await store.copy(account, box, [1], account, "Archive")
        await store.intake.deliver(Delivery(RAW, to(account)))
        await store.search(account, box, program.Body("y"), [])
        async for items in store.fetch(account, box, [1, 2, 3]):
            async for _ in store.read_many([item.body for item in items]):
                await store.claim_recent(account, box)
        store.release(view)

    async with asyncio.timeout(20):
        await asyncio.gather(*(everything() for _ in range(10)))
    await audit()
    await store.close()
    await database.close()


async def test_cancelled_operations_leave_no_lock_no_connection_and_no_half_view(
    mailstore: Mailstore, database: Database, account: int, audit: Audit
) -> None:
    chance = random.Random(7)
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(RAW) for _ in range(20)])
    view = await mailstore.view(account, box)

    def operation() -> Awaitable[Any]:
        uids = sorted(chance.sample(range(1, 30), 4))
        return chance.choice(
            (
                lambda: mailstore.append(account, box, [Upload(RAW, 0, (f"k{chance.randint(1, 20)}",))]),
                lambda: mailstore.store(account, box, uids, chance.choice(("add", "remove")), chance.choice((1, 8))),
                lambda: mailstore.copy(account, box, uids, account, "Archive"),
                lambda: mailstore.move(account, box, uids, account, "INBOX"),
                lambda: mailstore.expunge(account, box, uids),
                lambda: mailstore.refresh(view),
                lambda: mailstore.intake.deliver(Delivery(RAW, to(account))),
                lambda: mailstore.search(account, box, program.Body("y"), []),
                lambda: mailstore.mailbox(account, "INBOX"),
            )
        )()

    for _ in range(60):
        tasks = [asyncio.ensure_future(operation()) for _ in range(6)]
        await asyncio.sleep(chance.random() * 0.006)
        for task in tasks:
            if chance.random() < 0.7:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [result for result in results if isinstance(result, Exception)]
        assert failed == []
    async with asyncio.timeout(10), database.acquire() as _, database.acquire() as _, database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT uid, flags, modseq FROM message_flags WHERE mailbox_id = $1 ORDER BY 1", box
        )
    await mailstore.refresh(view)
    assert list(view.rows(view.snapshot().uids)) == [tuple(row) for row in rows]
    await audit()
    mailstore.release(view)


async def test_a_change_whose_client_went_away_is_told_to_the_others(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(RAW, DELETED)])
    mine, theirs = await mailstore.view(account, box), await elsewhere.view(account, box)
    woken = asyncio.Event()
    theirs.add_waiter(woken.set)

    async def cut(_view: MailboxView) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(mailstore._views, "refresh", cut)
        with pytest.raises(asyncio.CancelledError):
            await mailstore.expunge(account, box)
    async with asyncio.timeout(10):
        while theirs.snapshot().count:
            await woken.wait()
            woken.clear()
    for store, view in ((mailstore, mine), (elsewhere, theirs)):
        store.release(view)


async def test_a_view_in_use_again_is_never_dropped_for_room(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setattr(views, "_KEPT_VIEWS", 1)
    boxes = [await mailstore.mailbox(account, name) for name in ("INBOX", "Sent", "Trash")]
    opened = [await mailstore.view(account, box.id) for box in boxes]
    mailstore.release(opened[0])
    reopening = asyncio.create_task(mailstore.view(account, boxes[0].id))
    await asyncio.sleep(0)  # it waits for the database
    mailstore.release(opened[1])
    mailstore.release(opened[2])
    again = await reopening
    woken = asyncio.Event()
    again.add_waiter(woken.set)
    await elsewhere.append(account, boxes[0].id, [Upload(RAW)])
    await asyncio.wait_for(woken.wait(), 10)
    mailstore.release(again)


async def test_room_of_released_views_is_counted_right(
    mailstore: Mailstore, elsewhere: Mailstore, account: int
) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    for _ in range(3):
        mailstore.release(await mailstore.view(account, box))
        await elsewhere.append(account, box, [Upload(RAW) for _ in range(5)])
    mailstore.release(await mailstore.view(account, box))
    assert mailstore._views._released_messages == 15


async def test_a_refresh_that_answers_late_takes_nothing_back(
    mailstore: Mailstore, elsewhere: Mailstore, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a refresh waits for its second answer, two changes of this process are applied."""
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(RAW) for _ in range(4)])
    view = await mailstore.view(account, box)
    asked, released = asyncio.Event(), asyncio.Event()
    acquire = mailstore._views._database.acquire

    class Slow:
        """Answers the second question of a refresh late."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        async def fetchrow(self, *arguments: Any) -> Any:
            return await self.connection.fetchrow(*arguments)

        async def fetch(self, *arguments: Any) -> Any:
            answer = await self.connection.fetch(*arguments)
            asked.set()
            await released.wait()
            return answer

    @asynccontextmanager
    async def slow() -> AsyncIterator[Any]:
        async with acquire() as connection:
            yield Slow(connection)

    first = await elsewhere.store(account, box, [1], "add", SEEN)
    base = view.highest_modseq
    if base >= first.modseq:
        pytest.skip("the notification was faster")
    monkeypatch.setattr(mailstore._views._database, "acquire", slow)
    refreshing = asyncio.create_task(mailstore.refresh(view))
    await asyncio.wait_for(asked.wait(), 10)
    monkeypatch.undo()
    # As store() does for changes of its own process.
    view.change(first.modseq, [(1, SEEN, first.modseq)])
    view.reach(first.modseq)
    seen = view.snapshot()
    second = await mailstore.store(account, box, [2], "add", 0, ["late"])
    assert view.highest_modseq == second.modseq
    released.set()
    await refreshing
    assert view.keywords == ["late"]
    assert view.since(seen).changed == [2]
    mailstore.release(view)


def test_a_shorter_list_of_keywords_is_an_older_one() -> None:
    view = MailboxView(1, 1, 1)
    view.load(array("I"), array("q"), array("q"), 1)
    view.learn(["a", "b"])
    view.learn(["a"])
    assert view.keywords == ["a", "b"]


async def test_keywords_that_differ_in_case_are_one(mailstore: Mailstore, account: int) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(RAW)])
    stored = await mailstore.store(account, box, [1], "add", 0, ["New", "new", "NEW"])
    assert stored.changed == {1: 32}
    assert (await mailstore.mailbox(account, "INBOX")).keywords == ("New",)


async def test_odd_text_is_no_error(mailstore: Mailstore, account: int) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(RAW)])
    for key in (
        program.Text("a\0\ud800"),
        program.Header("\ud800", "\udfff"),
        program.Header("Subject", "\ud800"),
        program.Flag("\ud800", True),
        program.Size("larger", 2**64),
        program.Within("younger", 0),
        program.Uids(((2**33, 2**40),)),
        program.Uids(((2, 2), (2**33, 2**40))),
    ):
        assert await mailstore.search(account, box, key, [1]) == []
    for key in (program.Size("smaller", 2**64), program.Within("younger", 2**63 - 1), program.ModSeq(0)):
        assert await mailstore.search(account, box, key, [1]) == [1]
    dotless = await mailstore.create(account, "\u0131nbox")
    assert dotless.id != box
    with pytest.raises(MailboxExists):
        await mailstore.create(account, "iNbOx")


async def test_an_account_that_is_gone_is_no_error_of_ours(mailstore: Mailstore, account: int) -> None:
    gone = account + 99
    with pytest.raises(NoSuchMailbox):
        await mailstore.create(gone, "x")
    with pytest.raises(NoSuchMailbox):
        await mailstore.rename(gone, "x", "y")
    await mailstore.subscribe(gone, "x")
    assert await mailstore.subscriptions(gone) == []
