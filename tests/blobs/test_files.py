"""The file store alone: what a crash, a full disk and a lost directory leave."""

import asyncio
import contextlib
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from mailraven.blobs import BlobUnavailable, BlobUnusable, FileBlobStore

# Puts blobs named by their content from several threads and says each name after its put has returned.
_WRITER = """
import asyncio, hashlib, os, sys
from pathlib import Path
from mailraven.blobs import FileBlobStore

async def main():
    store = FileBlobStore(Path(sys.argv[1]))
    await store.open()
    async def write():
        while True:
            data = os.urandom(200_000)
            name = hashlib.sha256(data).hexdigest()
            await store.put(f"{name[:2]}/{name[2:4]}/{name}", data)
            os.write(1, name.encode() + b"\\n")
    await asyncio.gather(*(write() for _ in range(4)))

asyncio.run(main())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileBlobStore]:
    made = FileBlobStore(tmp_path / "blobs")
    await made.open()
    yield made
    await made.close()


async def test_kill_in_the_middle_of_puts_leaves_whole_blobs_and_every_acknowledged_one(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    acknowledged: set[str] = set()
    for _ in range(4):
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, str(root), stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(random.randrange(5, 60)):
            acknowledged.add((await asyncio.wait_for(writer.stdout.readline(), 30)).decode().strip())
        writer.send_signal(signal.SIGKILL)
        acknowledged.update((await writer.stdout.read()).decode().split())
        await writer.wait()
    store = FileBlobStore(root)
    await store.open()
    found = {}
    async for blob in store.list():
        found[blob.key.rpartition("/")[2]] = hashlib.sha256(await store.get(blob.key)).hexdigest()
    await store.close()
    assert all(name == digest for name, digest in found.items())
    assert acknowledged <= set(found)


async def test_a_put_is_on_disk_before_it_returns(
    store: FileBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path / "blobs")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    await store.put("aa/bb/one", b"1")
    assert synced[0].startswith(".incoming/")
    assert synced[1:] == [".", "aa", "aa/bb"]  # the entries of aa and bb, then that of the blob
    synced.clear()
    await store.put("aa/bb/two", b"2")
    assert synced[1:] == ["aa/bb"]


async def test_a_directory_removed_meanwhile_is_made_again(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("aa/bb/one", b"1")
    await store.delete("aa/bb/one")
    (tmp_path / "blobs/aa/bb").rmdir()
    (tmp_path / "blobs/aa").rmdir()
    await store.put("aa/bb/two", b"2")
    assert await store.get("aa/bb/two") == b"2"


async def test_a_disk_that_takes_no_more_is_a_temporary_failure_that_names_the_path(
    store: FileBlobStore, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(BlobUnavailable, match=str(tmp_path)):
            await store.put("aa/bb/big", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [blob async for blob in store.list()] == []
    assert list((tmp_path / "blobs/.incoming").iterdir()) == []
    await store.put("aa/bb/big", bytes(10_000))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_full_disk_is_a_temporary_failure_and_heals(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    store = FileBlobStore(tmp_path / "blobs")
    try:
        await store.open()
        await store.put("aa/bb/one", bytes(150_000))
        with pytest.raises(BlobUnavailable, match="No space left on device"):
            await store.put("aa/bb/two", bytes(150_000))
        assert [blob.key async for blob in store.list()] == ["aa/bb/one"]
        await store.delete("aa/bb/one")
        await store.put("aa/bb/two", bytes(150_000))
    finally:
        await store.close()
        subprocess.run(["umount", "-l", tmp_path], check=True)


async def test_a_directory_that_is_gone_is_not_made_again_by_a_put(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path / "blobs")
    await store.open()
    (tmp_path / "blobs/.incoming").rmdir()
    (tmp_path / "blobs").rename(tmp_path / "unmounted")
    for attempt in (store.put("aa/bb/one", b""), store.check(), store.get("aa/bb/one")):
        with pytest.raises(BlobUnavailable, match="No such file or directory"):
            await attempt
    with pytest.raises(BlobUnavailable, match="No such file or directory"):
        _ = [blob async for blob in store.list()]
    assert not (tmp_path / "blobs").exists()
    await store.close()


async def test_a_place_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FileBlobStore(tmp_path / "file" / "blobs")
    with pytest.raises(BlobUnusable, match=f"{tmp_path}/file/blobs: Not a directory: expected a directory that user"):
        await store.open()
    await store.close()


async def test_open_removes_old_unfinished_files_and_leaves_young_ones(tmp_path: Path) -> None:
    aside = tmp_path / "blobs/.incoming"
    aside.mkdir(parents=True)
    (aside / "old").write_bytes(b"partial")
    (aside / "young").write_bytes(b"partial")
    yesterday = time.time() - 86_400
    os.utime(aside / "old", (yesterday, yesterday))
    store = FileBlobStore(tmp_path / "blobs")
    await store.open()
    assert [path.name for path in aside.iterdir()] == ["young"]
    assert [blob async for blob in store.list()] == []
    await store.close()


async def test_blobs_are_readable_by_their_owner_only(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("aa/bb/one", b"1")
    for path in (tmp_path / "blobs").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "blobs").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("used", [False, True], ids=["new", "used before"])
async def test_a_read_only_place_ends_the_start_and_is_named(tmp_path: Path, used: bool) -> None:
    if used:
        before = FileBlobStore(tmp_path / "blobs")
        await before.open()
        await before.close()
    mounted = subprocess.run(["mount", "--bind", tmp_path, tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    store = FileBlobStore(tmp_path / "blobs")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", tmp_path], check=True)
        with pytest.raises(BlobUnusable, match=rf"{tmp_path}/blobs.*: Read-only file system: expected a directory"):
            await store.open()
    finally:
        await store.close()
        subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_full_disk_is_said_and_does_not_keep_from_reading(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    store = FileBlobStore(tmp_path / "blobs")
    try:
        await store.open()
        await store.put("aa/bb/one", b"1")
        with contextlib.suppress(OSError), (tmp_path / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        again = FileBlobStore(tmp_path / "blobs")
        with structlog.testing.capture_logs() as logs:
            await again.open()
        [line] = [entry for entry in logs if entry["event"] == "no space for blobs"]
        assert line["path"].startswith(f"{tmp_path}/blobs/")
        assert (line["log_level"], line["reason"]) == ("error", "No space left on device")
        assert await again.get("aa/bb/one") == b"1"
        with pytest.raises(BlobUnavailable, match=rf"{tmp_path}/blobs.*: No space left on device"):
            await again.check()
        await again.close()
    finally:
        await store.close()
        subprocess.run(["umount", "-l", tmp_path], check=True)
