"""Single domains, accounts, mailboxes and messages into a running instance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, NothingFound
from mailraven.backup.part import PartRestore, PartRestored
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.selection import Existing, Selection
from mailraven.blobs.files import FileBlobStore
from mailraven.mailstore import Delivery, LocalTarget
from mailraven.mailstore.flags import flag_names
from mailraven.sealing import Sealer, dkim_purpose, totp_purpose

from .conftest import Instance, mail

SEALER = Sealer([bytes(32)])
Messages = dict[str, list[tuple[int, tuple[str, ...], datetime, bytes]]]


async def read_all(instance: Instance, address: str) -> tuple[dict[str, tuple[int, int]], Messages]:
    """Every mailbox: (UIDVALIDITY, HIGHESTMODSEQ), and each message with UID, flags, date, octets."""
    account = await instance.account(address)
    boxes, messages = {}, {}
    for box in await instance.mailstore.list_mailboxes(account):
        boxes[box.name] = (box.uidvalidity, box.modseq)
        view = await instance.mailstore.view(account, box.id)
        found = []
        uids = list(view.snapshot().uids[: view.snapshot().count])
        async for chunk in instance.mailstore.fetch(account, box.id, uids):
            for item in chunk:
                octets = await instance.mailstore.read(item.body)
                flags = tuple(sorted(flag_names(box.keywords, view.flags(item.uid))))
                found.append((item.uid, flags, item.internal_date, octets))
        instance.mailstore.release(view)
        messages[box.name] = found
    return boxes, messages


async def restore(instance: Instance, target: FileBlobStore, selection: Selection, **more: bool) -> PartRestored:
    async with Repository.open(target, "read") as repository:
        snapshot = await repository.read_snapshot((await repository.snapshots())[-1])
        part = PartRestore(
            instance.database,
            instance.blobs,
            instance.mailstore,
            repository,
            snapshot,
            Progress(),
            inline_max=32768,
            sealer=SEALER,
        )
        return await part.run(selection, **more)


@pytest.fixture
async def saved(source: Instance, target: FileBlobStore) -> FileBlobStore:
    async with Repository.open(target, "write") as repository:
        await create(source.database, source.blobs, repository, Progress())
    return target


async def test_secrets_are_bound_to_their_new_rows(source: Instance, empty: Instance, target: FileBlobStore) -> None:
    ann = await source.account("ann@example.test")
    async with source.database.acquire() as connection:
        domain = await connection.fetchval("SELECT id FROM domain WHERE name = 'example.test'")
        await connection.execute(
            "INSERT INTO dkim_key (domain_id, selector, algorithm, key_size, private_sealed, public_key)"
            " VALUES ($1, 's1', 'rsa', 2048, $2, 'p')",
            domain,
            SEALER.seal(dkim_purpose(domain, "s1"), b"the private key"),
        )
        sealed = SEALER.seal(totp_purpose(ann), b"the secret")
        await connection.execute("UPDATE account SET totp_sealed = $2 WHERE id = $1", ann, sealed)
    async with Repository.open(target, "write") as repository:
        snapshot = (await create(source.database, source.blobs, repository, Progress()))[1]
    assert snapshot.sealing_keys == SEALER.key_ids
    await empty.directory.create_domain("already.test")
    await empty.directory.create_account("somebody@already.test", None)
    await restore(empty, target, Selection(domain="example.test"))
    async with empty.database.acquire() as connection:
        domain, sealed = await connection.fetchrow("SELECT domain_id, private_sealed FROM dkim_key")
        assert SEALER.open(dkim_purpose(domain, "s1"), sealed) == b"the private key"
        account, sealed = await connection.fetchrow("SELECT id, totp_sealed FROM account WHERE localpart = 'ann'")
        assert account != ann
        assert SEALER.open(totp_purpose(account), sealed) == b"the secret"


async def test_a_domain_that_is_gone(source: Instance, empty: Instance, saved: FileBlobStore) -> None:
    await empty.directory.create_domain("already.test")
    await empty.directory.create_account("somebody@already.test", None)
    result = await restore(empty, saved, Selection(domain="example.test"))
    assert result.accounts_made == ["ann@example.test", "bob@example.test"]
    for address in result.accounts_made:
        assert await read_all(empty, address) == await read_all(source, address)
    assert (
        await empty.directory.authenticate("ann@example.test", "a long enough pass-phrase", protocol="imap") is not None
    )
    aliases = await empty.directory.list_aliases("example.test")
    assert [alias.address for alias in aliases] == ["sales@example.test"]
    # And it works: mail arrives behind what was there.
    ann = await empty.account("ann@example.test")
    before = (await source.mailstore.mailbox(await source.account("ann@example.test"), "INBOX")).uidnext
    delivered = await empty.mailstore.intake.deliver(
        Delivery(raw=mail(5), recipients=(LocalTarget(ann, "ann@example.test"),), trace_id="t")
    )
    assert delivered.uids[0][2] == before


async def test_an_account_that_is_there_is_not_touched_unasked(source: Instance, saved: FileBlobStore) -> None:
    before = await source.fingerprint()
    with pytest.raises(BackupError, match="is there already"):
        await restore(source, saved, Selection(account="ann@example.test"))
    assert await source.fingerprint() == before


async def test_beside(source: Instance, saved: FileBlobStore) -> None:
    _, before = await read_all(source, "ann@example.test")
    selection = Selection(account="ann@example.test", existing=Existing.BESIDE)
    assert (await restore(source, saved, selection, dry_run=True)).messages == 8
    result = await restore(source, saved, selection)
    assert result.messages == 8
    _, after = await read_all(source, "ann@example.test")
    fresh = {name: rows for name, rows in after.items() if name.startswith("Restored ")}
    assert {name: rows for name, rows in after.items() if name in before} == before
    strip = [row[1:] for name in sorted(before) for row in before[name]]
    assert [row[1:] for name in sorted(fresh) for row in fresh[name]] == strip
    # Once more: nothing twice.
    again = await restore(source, saved, selection)
    assert (again.messages, again.present) == (0, 8)


async def test_merge_brings_back_what_was_deleted(source: Instance, saved: FileBlobStore) -> None:
    ann = await source.account("ann@example.test")
    inbox = await source.mailstore.mailbox(ann, "INBOX")
    _, before = await read_all(source, "ann@example.test")
    lost = before["INBOX"][0]
    await source.mailstore.store(ann, inbox.id, [lost[0]], "add", 8)
    await source.mailstore.expunge(ann, inbox.id)
    selection = Selection(account="ann@example.test", mailbox="INBOX", existing=Existing.MERGE)
    result = await restore(source, saved, selection)
    assert (result.messages, result.present) == (1, len(before["INBOX"]) - 1)
    _, after = await read_all(source, "ann@example.test")
    assert after["INBOX"][-1][1:] == lost[1:]
    assert after["INBOX"][:-1] == before["INBOX"][1:]


async def test_of_a_time_and_into_another_account(source: Instance, saved: FileBlobStore) -> None:
    now = datetime.now(UTC)
    into = {"account": "ann@example.test", "into": "cat@other.test"}
    nothing = await restore(source, saved, Selection(**into, until=now - timedelta(days=1)))
    assert nothing.messages == 0
    result = await restore(source, saved, Selection(**into, since=now - timedelta(days=1), mailbox="Projects"))
    assert result.messages == 2
    boxes, _ = await read_all(source, "cat@other.test")
    assert any(name.startswith("Restored ") and name.endswith("Projects/Größe \\ N, {a}") for name in boxes)


@pytest.mark.parametrize(
    ("selection", "error"),
    [
        (Selection(account="nobody@example.test"), NothingFound),
        (Selection(domain="no.test"), NothingFound),
        (Selection(account="ann@example.test", mailbox="No", existing=Existing.MERGE), NothingFound),
        (Selection(account="ann@example.test", into="nobody@example.test"), NothingFound),
    ],
)
async def test_what_is_not_there(
    source: Instance, saved: FileBlobStore, selection: Selection, error: type[Exception]
) -> None:
    before = await source.fingerprint()
    with pytest.raises(error):
        await restore(source, saved, selection)
    assert await source.fingerprint() == before
