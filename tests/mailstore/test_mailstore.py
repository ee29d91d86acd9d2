"""Delivery, flags, copy, move, expunge, search: on a real Postgres, seen from this process and from another."""

import asyncio
from datetime import UTC, date, datetime

import asyncpg
import pytest

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.mailstore import (
    Delivery,
    HasChildren,
    InvalidName,
    LocalTarget,
    MailboxExists,
    Mailstore,
    NoSuchMailbox,
    OverQuota,
    RemoteRecipient,
    TooManyKeywords,
    Upload,
    program,
)
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore.collector import Collected, collect


def message(number: int, *, subject: str = "note", body: str = "hello", size: int = 0) -> bytes:
    filler = ("x" * 70 + "\r\n") * (size // 72)
    return (
        f"From: Sender {number} <s{number}@sender.test>\r\nTo: alice@example.test\r\nSubject: {subject} {number}\r\n"
        f"Date: Mon, 2 Jan 2023 23:30:00 -0500\r\nMessage-ID: <{number}@sender.test>\r\nX-Odd: 100%_sure\r\n\r\n"
        f"{body}\r\n{filler}"
    ).encode()


async def fill(mailstore: Mailstore, account: int, count: int) -> int:
    inbox = await mailstore.mailbox(account, "inbox")
    for number in range(1, count + 1):
        await mailstore.append(account, inbox.id, [Upload(message(number))])
    return inbox.id


async def all_items(mailstore: Mailstore, account: int, mailbox: int) -> list:
    view = await mailstore.view(account, mailbox)
    uids = view.snapshot().uids.tolist()
    mailstore.release(view)
    return [item async for chunk in mailstore.fetch(account, mailbox, uids) for item in chunk]


async def test_one_message_to_two_accounts_is_one_body_with_two_prefixes(
    mailstore: Mailstore, database: Database, account: int, second: int
) -> None:
    raw = message(1)
    delivered = await mailstore.intake.deliver(
        Delivery(
            raw,
            (
                LocalTarget(account, "alice@example.test", b"Delivered-To: alice@example.test\r\n"),
                LocalTarget(second, "bob@example.test", b"Delivered-To: bob@example.test\r\n"),
            ),
        )
    )
    assert [uid for _, _, uid in delivered.uids] == [1, 1]
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM body") == 1
    for who, name in ((account, b"alice"), (second, b"bob")):
        inbox = await mailstore.mailbox(who, "INBOX")
        (item,) = await all_items(mailstore, who, inbox.id)
        octets = await mailstore.read(item.body)
        assert octets == b"Delivered-To: " + name + b"@example.test\r\n" + raw
        assert item.size == len(octets) == inbox.bytes
        assert (inbox.messages, inbox.unseen, inbox.recent) == (1, 1, 1)


async def test_a_large_body_goes_to_the_blob_store_and_slices_are_right(mailstore: Mailstore, account: int) -> None:
    raw = message(1, size=9000)
    prefix = b"Return-Path: <>\r\n"
    await mailstore.intake.deliver(Delivery(raw, (LocalTarget(account, "alice@example.test", prefix),)))
    inbox = await mailstore.mailbox(account, "INBOX")
    (item,) = await all_items(mailstore, account, inbox.id)
    whole = prefix + raw
    for offset, length in (
        (0, None),
        (3, 10),
        (10, 20),
        (len(prefix), 5),
        (100, 4000),
        (len(whole) - 2, 50),
        (99999, 5),
    ):
        end = None if length is None else offset + length
        assert await mailstore.read(item.body, offset, length) == whole[offset:end]
    assert [chunk async for chunk in mailstore.read_many([item.body, item.body])] == [[whole, whole]]


async def test_a_hundred_deliveries_at_once_get_each_uid_once(
    mailstore: Mailstore, elsewhere: Mailstore, account: int
) -> None:
    target = (LocalTarget(account, "alice@example.test"),)
    stores = (mailstore, elsewhere)
    results = await asyncio.gather(
        *(stores[number % 2].intake.deliver(Delivery(message(number), target)) for number in range(100))
    )
    assert sorted(result.uids[0][2] for result in results) == list(range(1, 101))
    inbox = await mailstore.mailbox(account, "INBOX")
    assert (inbox.messages, inbox.uidnext) == (100, 101)
    items = await all_items(mailstore, account, inbox.id)
    assert len({item.email_id for item in items}) == 100


async def test_local_and_remote_recipients_are_one_transaction(
    mailstore: Mailstore, database: Database, account: int
) -> None:
    delivered = await mailstore.intake.deliver(
        Delivery(
            message(1),
            (LocalTarget(account, "alice@example.test"),),
            remote=(RemoteRecipient("a@remote.test", "remote.test"), RemoteRecipient("b@remote.test", "remote.test")),
            return_path="alice@example.test",
            submitter_account=account,
            trace_id="t1",
        )
    )
    assert delivered.queue_id is not None
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT recipient, state FROM queue_recipient ORDER BY 1")
    assert [tuple(row) for row in rows] == [("a@remote.test", "queued"), ("b@remote.test", "queued")]


async def test_flags_change_only_what_changes_and_other_processes_see_it(
    mailstore: Mailstore, elsewhere: Mailstore, account: int
) -> None:
    box = await fill(mailstore, account, 5)
    theirs = await elsewhere.view(account, box)
    woken = asyncio.Event()
    theirs.add_waiter(woken.set)
    before = theirs.snapshot()
    stored = await mailstore.store(account, box, [1, 2, 3], "add", flag_bits.SEEN, ["$Forwarded"])
    assert stored.changed == dict.fromkeys((1, 2, 3), flag_bits.SEEN | 32)
    await asyncio.wait_for(woken.wait(), 10)
    delta = theirs.since(before)
    assert (delta.expunged, delta.exists, delta.changed) == ([], None, [1, 2, 3])
    assert theirs.flags(2) == flag_bits.SEEN | 32
    assert theirs.keywords == ["$Forwarded"]
    again = await mailstore.store(account, box, [1, 2, 3], "add", flag_bits.SEEN, ["$FORWARDED"])
    assert again.changed == {}
    assert again.modseq == stored.modseq
    await mailstore.store(account, box, [1, 4], "replace", flag_bits.DELETED)
    assert (await mailstore.mailbox(account, "INBOX")).unseen == 3
    assert (await mailstore.mailbox(account, "INBOX")).deleted == 2
    limited = await mailstore.store(account, box, [1, 2], "add", flag_bits.FLAGGED, unchanged_since=stored.modseq)
    assert limited.failed == [1]
    assert list(limited.changed) == [2]
    elsewhere.release(theirs)


async def test_the_59th_keyword_is_refused_and_changes_nothing(mailstore: Mailstore, account: int) -> None:
    box = await fill(mailstore, account, 1)
    await mailstore.store(account, box, [1], "add", 0, [f"k{n}" for n in range(58)])
    with pytest.raises(TooManyKeywords):
        await mailstore.store(account, box, [1], "add", flag_bits.SEEN, ["one-more"])
    view = await mailstore.view(account, box)
    assert flag_bits.flag_names(view.keywords, view.flags(1)) == [f"k{n}" for n in range(58)]
    mailstore.release(view)


async def test_copy_translates_keywords_and_keeps_order(mailstore: Mailstore, account: int, second: int) -> None:
    box = await fill(mailstore, account, 3)
    await mailstore.store(account, box, [1], "add", 0, ["a", "b"])
    await mailstore.store(account, box, [3], "add", flag_bits.SEEN, ["b"])
    bobs = await mailstore.mailbox(second, "INBOX")
    await mailstore.append(second, bobs.id, [Upload(message(9), 0, ("b", "c"))])
    copied = await mailstore.copy(account, box, [1, 2, 3, 77], second, "INBOX")
    assert (copied.source, copied.target) == ([1, 2, 3], [2, 3, 4])
    view = await mailstore.view(second, bobs.id)
    names = {uid: sorted(flag_bits.flag_names(view.keywords, view.flags(uid))) for uid in (2, 3, 4)}
    assert names == {2: ["a", "b"], 3: [], 4: ["\\Seen", "b"]}
    mailstore.release(view)
    with pytest.raises(NoSuchMailbox):
        await mailstore.copy(account, box, [1], account, "nowhere")


async def test_move_and_expunge_leave_tombstones_and_hold_sessions_numbering(
    mailstore: Mailstore, database: Database, account: int
) -> None:
    box = await fill(mailstore, account, 6)
    view = await mailstore.view(account, box)
    before = view.snapshot()
    moved = await mailstore.move(account, box, [2, 3], account, "Trash")
    assert (moved.source, moved.target) == ([2, 3], [1, 2])
    await mailstore.store(account, box, [5, 6], "add", flag_bits.DELETED)
    held = view.since(before, expunge=False)
    assert (held.expunged, held.exists) == ([], None)
    assert held.snapshot.uids.tolist()[: held.snapshot.count] == [1, 2, 3, 4, 5, 6]
    assert await mailstore.expunge(account, box, [6, 4]) == [6]
    assert await mailstore.expunge(account, box) == [5]
    await mailstore.append(account, box, [Upload(message(7))])
    delta = view.since(held.snapshot)
    assert delta.expunged == [6, 5, 3, 2]
    assert delta.exists == 3
    assert delta.snapshot.uids.tolist() == [1, 4, 7]
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT expunged FROM mailbox_change WHERE expunged <> '' ORDER BY modseq")
        assert [row[0] for row in rows] == ["2:3", "6", "5"]
        assert await connection.fetchval("SELECT count(*) FROM body_release") == 4
    mailstore.release(view)


async def test_mailboxes_are_made_renamed_and_deleted_with_rising_uidvalidity(
    mailstore: Mailstore, account: int
) -> None:
    first = await mailstore.create(account, "a/b/c")
    names = [box.name for box in await mailstore.list_mailboxes(account)]
    assert {"a", "a/b", "a/b/c", "INBOX", "Sent"} <= set(names)
    with pytest.raises(MailboxExists):
        await mailstore.create(account, "a/b")
    await mailstore.rename(account, "a", "z")
    assert (await mailstore.mailbox(account, "z/b/c")).id == first.id
    await mailstore.delete(account, "z/b/c")
    again = await mailstore.create(account, "z/b/c")
    assert again.uidvalidity > first.uidvalidity
    await mailstore.delete(account, "z/b")
    with pytest.raises(HasChildren):
        await mailstore.delete(account, "z/b")
    with pytest.raises(InvalidName):
        await mailstore.delete(account, "inbox")
    for bad in ("", "/", "a//b", "x\ny", "a*", "a%", "n\0", "x" * 1001, "/".join("x" * 40)):
        with pytest.raises(InvalidName):
            await mailstore.create(account, bad)
        with pytest.raises(NoSuchMailbox):
            await mailstore.mailbox(account, bad)


async def test_rename_inbox_moves_its_mail(mailstore: Mailstore, account: int) -> None:
    box = await fill(mailstore, account, 3)
    await mailstore.rename(account, "INBOX", "old/mail")
    assert (await mailstore.mailbox(account, "INBOX")).messages == 0
    moved = await mailstore.mailbox(account, "old/mail")
    assert (moved.messages, moved.uidnext) == (3, 4)
    assert moved.id != box


async def test_deleting_an_open_mailbox_is_seen(mailstore: Mailstore, elsewhere: Mailstore, account: int) -> None:
    made = await mailstore.create(account, "gone")
    view = await elsewhere.view(account, made.id)
    woken = asyncio.Event()
    view.add_waiter(woken.set)
    await mailstore.delete(account, "gone")
    await asyncio.wait_for(woken.wait(), 10)
    assert view.gone
    elsewhere.release(view)
    with pytest.raises(NoSuchMailbox):
        await elsewhere.view(account, made.id)


async def test_append_over_quota_is_refused(mailstore: Mailstore, database: Database, account: int) -> None:
    box = await fill(mailstore, account, 1)
    used, _ = await mailstore.usage(account)
    async with database.acquire() as connection:
        await connection.execute("UPDATE account SET quota_bytes = $2 WHERE id = $1", account, used + 10)
    with pytest.raises(OverQuota):
        await mailstore.append(account, box, [Upload(message(2))])
    with pytest.raises(OverQuota):
        await mailstore.copy(account, box, [1], account, "Trash")
    assert len((await mailstore.move(account, box, [1], account, "Trash")).target) == 1


async def test_many_uploads_are_one_change(mailstore: Mailstore, account: int) -> None:
    box = await fill(mailstore, account, 0)
    day = datetime(2020, 5, 17, 12, tzinfo=UTC)
    appended = await mailstore.append(
        account, box, [Upload(message(1), flag_bits.SEEN, ("x",), day), Upload(message(2, size=5000))]
    )
    assert appended.uids == [1, 2]
    one, two = await all_items(mailstore, account, box)
    assert one.internal_date == day
    assert await mailstore.read(two.body) == message(2, size=5000)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (program.All(), [1, 2, 3]),
        (program.Header("Subject", "GRÜSSE"), [2]),
        (program.Header("subject", ""), [1, 2, 3]),
        (program.Header("X-Odd", "100%_sure"), [1, 2, 3]),
        (program.Header("X-Odd", "100%%"), []),
        (program.Header("X-Missing", ""), []),
        (program.Header("From", "s2@sender"), [2]),
        (program.Body("it's"), [3]),
        (program.Body("%"), []),
        (program.Text("sender 1"), [1]),
        (program.Flag("\\Seen", True), [1]),
        (program.Flag("\\Seen", False), [2, 3]),
        (program.Flag("unknown", True), []),
        (program.Flag("unknown", False), [1, 2, 3]),
        (program.Uids(((2, 9),)), [2, 3]),
        (program.Sequence(((1, 1), (3, 3))), [1, 3]),
        (program.Not(program.Sequence(((9, 10),))), [1, 2, 3]),
        (program.Or(program.Uids(((1, 1),)), program.Body("it's")), [1, 3]),
        (program.And((program.Uids(((1, 2),)), program.Not(program.Flag("\\Seen", True)))), [2]),
        (program.Date("sent", "on", date(2023, 1, 2)), [1, 2, 3]),
        (program.Date("sent", "on", date(2023, 1, 3)), []),
        (program.Date("internal", "since", date(2001, 1, 1)), [1, 2, 3]),
        (program.Date("internal", "before", date(2001, 1, 1)), []),
        (program.Or(program.Flag("\\Seen", True), program.Body("it's")), [1, 3]),
        (program.And((program.Flag("\\Seen", False), program.Text("sender"))), [2, 3]),
        (program.ModSeq(4), [1, 3]),
        (program.Size("larger", 100), [1, 2, 3]),
        (program.Size("smaller", 100), []),
        (program.Recent(3), [3]),
        (program.Within("younger", 3600), [1, 2, 3]),
    ],
)
async def test_search(mailstore: Mailstore, account: int, key: program.Key, expected: list[int]) -> None:
    inbox = await mailstore.mailbox(account, "INBOX")
    texts = (
        message(1),
        message(2, subject="=?utf-8?Q?gr=C3=BC=C3=9Fe?="),
        message(3, body="so it's \\ here_"),
    )
    for raw in texts:
        await mailstore.append(account, inbox.id, [Upload(raw)])
    await mailstore.store(account, inbox.id, [1], "add", flag_bits.SEEN)
    assert await mailstore.search(account, inbox.id, key, [1, 2, 3]) == expected


async def test_a_released_body_goes_after_its_grace_and_only_when_nothing_has_it(
    mailstore: Mailstore, database: Database, blobs: FileBlobStore, account: int
) -> None:
    box = (await mailstore.mailbox(account, "INBOX")).id
    await mailstore.append(account, box, [Upload(message(1, size=5000)), Upload(message(2)), Upload(message(3))])
    await mailstore.copy(account, box, [3], account, "Archive")
    await mailstore.store(account, box, [1, 2, 3], "add", flag_bits.DELETED)
    await mailstore.expunge(account, box)
    assert await collect(database, blobs) == Collected()
    async with database.acquire() as connection:
        await connection.execute("UPDATE body_release SET released_at = now() - interval '2 days'")
    collected = await collect(database, blobs)
    assert (collected.bodies, collected.blobs) == (2, 1)
    assert [blob async for blob in blobs.list()] == []
    archive = await mailstore.mailbox(account, "Archive")
    (kept,) = await all_items(mailstore, account, archive.id)
    assert await mailstore.read(kept.body) == message(3)


async def test_a_broken_connection_in_the_middle_of_a_batch_delivers_exactly_once(
    mailstore: Mailstore, account: int, dsn: str
) -> None:
    """Backends are cut again and again under load: each acknowledged message is there once, none twice."""
    killer = await asyncpg.connect(dsn)
    target = (LocalTarget(account, "alice@example.test"),)
    done = asyncio.Event()
    cuts = 0

    async def cut() -> None:
        nonlocal cuts
        # Fewer than the tries of a batch, so that none can run out of them however slow the machine is.
        while cuts < 4 and not done.is_set():
            cuts += (
                await killer.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%WITH item AS%'"
                )
                > 0
            )
            await asyncio.sleep(0.02)

    cutting = asyncio.create_task(cut())
    results = await asyncio.gather(
        *(mailstore.intake.deliver(Delivery(message(number), target)) for number in range(300)), return_exceptions=True
    )
    for number in range(300, 500):
        results.append(await mailstore.intake.deliver(Delivery(message(number), target)))
    done.set()
    await cutting
    await killer.close()
    assert cuts
    assert not [result for result in results if isinstance(result, BaseException)]
    inbox = await mailstore.mailbox(account, "INBOX")
    items = await all_items(mailstore, account, inbox.id)
    assert inbox.messages == len(items) == 500
    assert len({item.email_id for item in items}) == 500
    assert sorted(result.uids[0][2] for result in results) == [item.uid for item in items]
