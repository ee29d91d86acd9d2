"""Backups in a bucket of a real S3 server, named as people name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, NoRepository, TargetUnavailable
from mailraven.backup.place import open_place
from mailraven.backup.progress import Progress
from mailraven.backup.prune import prune
from mailraven.backup.repository import Repository
from mailraven.backup.restore import restore_all
from mailraven.backup.retention import Retention
from mailraven.backup.verify import verify_snapshot
from mailraven.blobs import BlobUnavailable
from mailraven.cli.job_result import is_temporary
from mailraven.config import BackupConfig, BackupS3Config, ConfigError, S3Config
from mailraven.testing.s3_server import S3Server

from .conftest import Instance


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


def service(server: S3Server) -> BackupS3Config:
    return BackupS3Config(
        endpoint=server.endpoint, secure=False, access_key=server.access_key, secret_key=SecretStr(server.secret_key)
    )


async def test_there_and_back(source: Instance, empty: Instance, s3: S3Server) -> None:
    # The service is that of the blobs where backup.s3 names none.
    store = await open_place(f"s3://{s3.bucket}/some/where", BackupConfig(), service(s3), write=True)
    async with Repository.open(store, "write", bytes(32)) as repository:
        await create(source.database, source.blobs, repository, Progress())
    async with Repository.open(store, "write", bytes(32)) as repository:
        assert (await create(source.database, source.blobs, repository, Progress()))[1].added_octets == 0
    async with Repository.open(store, "prune", bytes(32)) as repository:
        assert len((await prune(repository, Retention(days=0), Progress())).removed) == 1
    async with Repository.open(store, "read", bytes(32)) as repository:
        (listed,) = await repository.snapshots()
        snapshot = await repository.read_snapshot(listed)
        await verify_snapshot(repository, snapshot, Progress())
        await restore_all(empty.database, empty.blobs, repository, snapshot, Progress(), hold_queue=False)
    await store.close()
    assert await empty.fingerprint() == await source.fingerprint()


async def test_another_prefix_is_another_place(s3: S3Server) -> None:
    store = await open_place(f"s3://{s3.bucket}/empty", BackupConfig(s3=service(s3)), S3Config(), write=False)
    with pytest.raises(NoRepository):
        async with Repository.open(store, "read"):
            pass
    await store.close()


async def test_what_the_backups_own_settings_leave_out_is_that_of_the_blobs(s3: S3Server) -> None:
    there = service(s3)
    wrong = there.model_copy(update={"secret_key": SecretStr("another"), "endpoint": "127.0.0.1:9"})
    for own, blobs, answers in (
        (BackupS3Config(endpoint=s3.endpoint), there.model_copy(update={"endpoint": "127.0.0.1:9"}), True),
        (BackupS3Config(endpoint=s3.endpoint, secret_key=there.secret_key), wrong, True),
        (BackupS3Config(endpoint=s3.endpoint), wrong, False),
        (BackupS3Config(access_key=s3.access_key, secret_key=SecretStr("another")), there, False),
        # Keys of its own are used where the blobs have those of the platform.
        (
            BackupS3Config(access_key=s3.access_key, secret_key=there.secret_key),
            there.model_copy(update={"credentials": "workload", "access_key": "", "secret_key": None}),
            True,
        ),
    ):
        store = await open_place(f"s3://{s3.bucket}/own", BackupConfig(s3=own), blobs, write=True)
        if answers:
            await store.put("there", b"octets")
        else:
            with pytest.raises(BlobUnavailable):
                await store.put("there", b"octets")
        await store.close()


async def test_a_bucket_is_made_where_that_is_asked_for(s3: S3Server) -> None:
    own = service(s3).model_copy(update={"create_bucket": True})
    store = await open_place("s3://new-bucket", BackupConfig(), own, write=True)
    async with Repository.open(store, "write"):
        pass
    await store.close()


async def test_a_bucket_that_is_not_there_is_no_matter_of_time(s3: S3Server) -> None:
    store = await open_place("s3://no-such-bucket", BackupConfig(), service(s3), write=True)
    with pytest.raises(TargetUnavailable, match="NoSuchBucket") as missing:
        async with Repository.open(store, "write"):
            pass
    await store.close()
    assert not is_temporary(missing.value)
    assert is_temporary(TargetUnavailable("S3 bucket x: SlowDown"))


async def test_a_service_that_is_nowhere_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"backup\.s3\.secret_key: needed when the target is s3://"):
        await open_place("s3://bucket", BackupConfig(), S3Config(endpoint="127.0.0.1:9", access_key="x"), write=True)


@pytest.mark.parametrize("target", ["s3://UPPER/x", "s3://", "s3://a/../b", "s3://bucket/.hidden", "http://x/y"])
async def test_what_is_no_target(target: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError):
        await open_place(target, BackupConfig(), S3Config(endpoint="127.0.0.1:9"), write=True)
