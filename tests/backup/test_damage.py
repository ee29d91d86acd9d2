"""Every kind of octet of a backup, flipped, cut or gone: said clearly, and nothing is restored."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.restore import restore_all
from mailraven.backup.verify import verify_snapshot
from mailraven.blobs.files import FileBlobStore

from .conftest import Instance

KINDS = ("mailraven-backup", "data", "index", "snapshots")


async def damaged(directory: Path, key: bytes | None) -> str | None:
    """What is said of the backup; None: it was read to its end."""
    store = FileBlobStore(directory)
    await store.open()
    try:
        async with Repository.open(store, "read", key) as repository:
            listed = await repository.snapshots()
            if not listed:
                return "no backup"
            snapshot = await repository.read_snapshot(listed[-1])
            await verify_snapshot(repository, snapshot, Progress())
    except BackupError as error:
        return str(error)
    finally:
        await store.close()
    return None


def files_of(directory: Path, kind: str) -> list[Path]:
    place = directory / kind
    return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


@pytest.fixture(params=[None, bytes(range(32))], ids=["plain", "encrypted"])
async def saved(
    source: Instance, target: FileBlobStore, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[Path, bytes | None]:
    key: bytes | None = request.param
    async with Repository.open(target, "write", key) as repository:
        await create(source.database, source.blobs, repository, Progress())
    return tmp_path / "target", key


async def test_every_flip_is_found(saved: tuple[Path, bytes | None], tmp_path: Path) -> None:
    directory, key = saved
    assert await damaged(directory, key) is None
    rng = random.Random(7)
    copy = tmp_path / "copy"
    for kind in KINDS:
        for path in files_of(directory, kind):
            octets = path.read_bytes()
            places = {0, len(octets) // 2, len(octets) - 1, *(rng.randrange(len(octets)) for _ in range(8))}
            for place in sorted(places):
                shutil.copytree(directory, copy)
                flipped = bytearray(octets)
                flipped[place] ^= 1 << rng.randrange(8)
                (copy / path.relative_to(directory)).write_bytes(flipped)
                said = await damaged(copy, key)
                shutil.rmtree(copy)
                # Its head is a document for people: another space or a changed date harms nobody.
                assert said is not None or kind == "mailraven-backup", f"{path.name} at {place}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "swapped", "longer"])
async def test_whole_files(saved: tuple[Path, bytes | None], kind: str, how: str) -> None:
    directory, key = saved
    path = files_of(directory, kind)[0]
    octets = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "swapped":
        other = next(one for one in files_of(directory, "data") + files_of(directory, "index") if one != path)
        path.write_bytes(other.read_bytes())
    else:
        path.write_bytes({"empty": b"", "cut": octets[:-1], "longer": octets + b"x"}[how])
    assert await damaged(directory, key) is not None


async def test_nothing_of_a_damaged_backup_is_restored(
    saved: tuple[Path, bytes | None], target: FileBlobStore, empty: Instance
) -> None:
    directory, key = saved
    before = await empty.fingerprint()
    pack = max(files_of(directory, "data"), key=lambda path: path.stat().st_size)
    octets = bytearray(pack.read_bytes())
    for place in range(0, len(octets), 997):
        octets[place] ^= 0x10
    pack.write_bytes(octets)
    async with Repository.open(target, "read", key) as repository:
        snapshot = await repository.read_snapshot((await repository.snapshots())[-1])
        with pytest.raises(BackupError):
            await restore_all(empty.database, empty.blobs, repository, snapshot, Progress())
    after = await empty.fingerprint()
    assert {name: value for name, value in after.items() if name != "blobs"} == {
        name: value for name, value in before.items() if name != "blobs"
    }
