"""What is backed up and restored is what it was, row by row and octet by octet."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, ForeignVersion, NoRepository, NotEmptyInstance, WrongKey
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.restore import restore_all
from mailraven.backup.snapshot import Snapshot
from mailraven.blobs.files import FileBlobStore
from mailraven.mailstore import Delivery, LocalTarget

from .conftest import Instance, mail


async def backup(source: Instance, target: FileBlobStore, key: bytes | None = None) -> Snapshot:
    async with Repository.open(target, "write", key) as repository:
        return (await create(source.database, source.blobs, repository, Progress()))[1]


async def newest(repository: Repository) -> Snapshot:
    return await repository.read_snapshot((await repository.snapshots())[-1])


@pytest.mark.parametrize("key", [None, bytes(range(32))], ids=["plain", "encrypted"])
async def test_everything_comes_back(
    source: Instance, empty: Instance, target: FileBlobStore, key: bytes | None
) -> None:
    snapshot = await backup(source, target, key)
    assert snapshot.bodies > snapshot.blobs >= 3
    async with Repository.open(target, "read", key) as repository:
        await restore_all(
            empty.database, empty.blobs, repository, await newest(repository), Progress(), hold_queue=False
        )
    assert await empty.fingerprint() == await source.fingerprint()
    # Sequences go on where they were: the next mail gets a new UID and a new body.
    ann = await empty.account("ann@example.test")
    before = (await source.mailstore.mailbox(ann, "INBOX")).uidnext
    delivered = await empty.mailstore.intake.deliver(
        Delivery(raw=mail(99), recipients=(LocalTarget(ann, "ann@example.test"),), trace_id="t")
    )
    assert delivered.uids[0][2] == before
    assert (
        await empty.directory.authenticate("bob@example.test", "a long enough pass-phrase", protocol="imap") is not None
    )


async def test_the_queue_waits_for_somebody_to_release_it(
    source: Instance, empty: Instance, target: FileBlobStore
) -> None:
    await backup(source, target)
    async with Repository.open(target, "read") as repository:
        result = await restore_all(empty.database, empty.blobs, repository, await newest(repository), Progress())
    assert result.held == 1
    async with empty.database.acquire() as connection:
        assert await connection.fetch("SELECT state, held_from FROM queue_recipient") == [("held", "queued")]


async def test_an_unchanged_instance_adds_nothing_and_one_message_little(
    source: Instance, target: FileBlobStore
) -> None:
    first = await backup(source, target)
    assert first.added_octets > 2_500_000
    assert (await backup(source, target)).added_octets == 0
    ann = await source.account("ann@example.test")
    await source.mailstore.intake.deliver(
        Delivery(raw=mail(70), recipients=(LocalTarget(ann, "ann@example.test"),), trace_id="t")
    )
    assert 0 < (await backup(source, target)).added_octets < 20_000


async def test_a_dry_run_writes_nothing(source: Instance, empty: Instance, target: FileBlobStore) -> None:
    await backup(source, target)
    before = await empty.fingerprint()
    async with Repository.open(target, "read") as repository:
        result = await restore_all(
            empty.database, empty.blobs, repository, await newest(repository), Progress(), dry_run=True
        )
    assert result.bodies > 0
    assert await empty.fingerprint() == before


async def test_existing_data_is_never_overwritten(source: Instance, target: FileBlobStore) -> None:
    await backup(source, target)
    before = await source.fingerprint()
    async with Repository.open(target, "read") as repository:
        with pytest.raises(NotEmptyInstance):
            await restore_all(source.database, source.blobs, repository, await newest(repository), Progress())
    assert await source.fingerprint() == before


async def test_a_wrong_key_is_said(source: Instance, target: FileBlobStore) -> None:
    await backup(source, target, os.urandom(32))
    for key, text in ((None, "encrypted"), (os.urandom(32), "not the one")):
        with pytest.raises(WrongKey, match=text):
            async with Repository.open(target, "read", key):
                pass


async def test_an_encrypted_backup_shows_no_mail(source: Instance, target: FileBlobStore, tmp_path: Path) -> None:
    await backup(source, target, os.urandom(32))
    for path in (tmp_path / "target").rglob("*"):
        if path.is_file():
            assert b"example.test" not in path.read_bytes()


async def test_a_place_without_backups(target: FileBlobStore) -> None:
    with pytest.raises(NoRepository):
        async with Repository.open(target, "read"):
            pass


async def test_a_newer_schema_is_refused(source: Instance, empty: Instance, target: FileBlobStore) -> None:
    snapshot = (await backup(source, target)).model_copy(update={"schema_version": 9999})
    async with Repository.open(target, "read") as repository:
        with pytest.raises(ForeignVersion, match="schema 9999"):
            await restore_all(empty.database, empty.blobs, repository, snapshot, Progress())


async def test_sealed_secrets_need_their_master_key(source: Instance, empty: Instance, target: FileBlobStore) -> None:
    snapshot = (await backup(source, target)).model_copy(update={"sealing_keys": ("0badcafe",)})
    async with Repository.open(target, "read") as repository:
        with pytest.raises(BackupError, match="0badcafe"):
            await restore_all(empty.database, empty.blobs, repository, snapshot, Progress(), sealing_keys=["12345678"])


async def test_while_a_backup_runs_nothing_is_collected(source: Instance, target: FileBlobStore) -> None:
    ann = await source.account("ann@example.test")
    inbox = await source.mailstore.mailbox(ann, "INBOX")
    seen = []

    def look(progress: Progress) -> None:
        seen.append(progress.phase)

    class Late(FileBlobStore):
        """Somebody deletes mail, and the collector runs, before the bodies are read."""

        async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            if not self.done:
                self.done = True
                await source.mailstore.store(ann, inbox.id, [1, 3, 4], "add", 8)
                await source.mailstore.expunge(ann, inbox.id)
                assert (await source.mailstore.collect(timedelta(0))).bodies == 0
            return await super().get(key, offset, length)

        done = False

    blobs = Late(source.blobs._root)
    async with Repository.open(target, "write") as repository:
        await create(source.database, blobs, repository, Progress(look))
    assert blobs.done
    assert "bodies" in seen
    assert (await source.mailstore.collect(timedelta(0))).bodies > 0
    await blobs.close()
