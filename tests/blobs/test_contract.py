"""What every blob store promises, asked of files and of a real S3 server."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.blobs import BlobInfo, BlobMissing, BlobStore
from mailraven.blobs.store import check_key


def key() -> str:
    name = uuid4().hex
    return f"{name[:2]}/{name[2:4]}/{name}"


async def listed(store: BlobStore, prefix: str = "") -> list[BlobInfo]:
    return [blob async for blob in store.list(prefix)]


@pytest.mark.parametrize("size", [0, 1, 65_536, 6 * 1024 * 1024 + 1])
async def test_what_is_put_comes_back(store: BlobStore, size: int) -> None:
    name, data = key(), os.urandom(size)
    await store.put(name, data)
    assert await store.get(name) == data
    [blob] = await listed(store)
    assert (blob.key, blob.size) == (name, size)
    assert abs(blob.modified - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (9, 1, b"9"),
        (10, 1, b""),
        (10, None, b""),
        (5000, 10, b""),
        (4, 0, b""),
        (0, 0, b""),
    ],
)
async def test_a_range_ends_where_the_blob_ends(
    store: BlobStore, offset: int, length: int | None, expected: bytes
) -> None:
    name = key()
    await store.put(name, b"0123456789")
    assert await store.get(name, offset, length) == expected


async def test_a_range_of_an_empty_blob_is_empty(store: BlobStore) -> None:
    name = key()
    await store.put(name, b"")
    assert await store.get(name, 0, 10) == b""
    assert await store.get(name, 7) == b""


@pytest.mark.parametrize(("offset", "length"), [(0, None), (5, 3), (0, 0)])
async def test_a_key_that_was_never_put_is_missing(store: BlobStore, offset: int, length: int | None) -> None:
    with pytest.raises(BlobMissing):
        await store.get(key(), offset, length)


async def test_the_directory_of_a_blob_is_no_blob(store: BlobStore) -> None:
    name = key()
    await store.put(name, b"x")
    with pytest.raises(BlobMissing):
        await store.get(name[:5])
    with pytest.raises(BlobMissing):
        await store.get(name + "/below")


async def test_delete_removes_and_may_be_repeated(store: BlobStore) -> None:
    name, other = key(), key()
    await store.put(name, b"x")
    await store.put(other, b"y")
    for _ in range(2):
        await store.delete(name)
    with pytest.raises(BlobMissing):
        await store.get(name)
    assert await store.get(other) == b"y"


async def test_the_same_key_again_replaces_all_of_it(store: BlobStore) -> None:
    name = key()
    await store.put(name, b"a long first content")
    await store.put(name, b"short")
    assert await store.get(name) == b"short"


async def test_list_is_in_the_order_of_keys_and_keeps_to_the_prefix(store: BlobStore) -> None:
    names = ["aa/bb/1", "aa/bb/2", "aa/bb.x/3", "aa/bbc/4", "ab/5", "b"]
    for name in reversed(names):
        await store.put(name, name.encode())
    assert [blob.key for blob in await listed(store)] == sorted(names)
    assert [blob.key for blob in await listed(store, "aa/bb/")] == ["aa/bb/1", "aa/bb/2"]
    assert [blob.key for blob in await listed(store, "aa/bb")] == sorted(names[:4])
    assert [blob.key for blob in await listed(store, "a")] == sorted(names[:5])
    assert await listed(store, "nothing/") == []


async def test_list_goes_over_pages(store: BlobStore) -> None:
    names = sorted(f"{n % 7:02}/{n:04}" for n in range(1003))
    for start in range(0, len(names), 50):
        await asyncio.gather(*(store.put(name, b".") for name in names[start : start + 50]))
    assert [blob.key for blob in await listed(store)] == names


async def test_concurrent_puts_and_gets_do_not_mix(store: BlobStore) -> None:
    contents = {key(): os.urandom(1000 + 700 * n) for n in range(60)}
    await asyncio.gather(*(store.put(name, data) for name, data in contents.items()))
    got = await asyncio.gather(*(store.get(name) for name in contents))
    assert dict(zip(contents, got, strict=True)) == contents


async def test_readers_of_a_key_that_is_replaced_see_one_or_the_other(store: BlobStore) -> None:
    name, versions = key(), [bytes([n]) * 50_000 for n in range(12)]
    await store.put(name, versions[0])

    async def write() -> None:
        for version in versions:
            await store.put(name, version)

    writing = asyncio.create_task(write())
    seen = []
    while not writing.done():
        seen.append(await store.get(name))
    await writing
    assert seen
    assert set(seen) <= set(versions)


async def test_a_store_that_works_passes_its_check(store: BlobStore) -> None:
    await store.check()
    assert await listed(store) == []


@pytest.mark.parametrize(
    "bad",
    ["", "/etc/passwd", "../x", "aa/../../x", "aa//b", "aa/", "aa/.hidden", ".", "a\0b", "a\nb", "ä", "a b", "a\\b",
     "x" * 600],
)  # fmt: skip
async def test_a_key_that_could_leave_the_store_is_refused(store: BlobStore, bad: str) -> None:
    for attempt in (store.put(bad, b""), store.get(bad), store.delete(bad)):
        with pytest.raises(ValueError, match="not a blob key"):
            await attempt


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1)])
async def test_a_negative_range_is_refused(store: BlobStore, offset: int, length: int | None) -> None:
    with pytest.raises(ValueError, match="not negative"):
        await store.get(key(), offset, length)


@given(st.text(max_size=60))
def test_no_accepted_key_has_a_way_out(text: str) -> None:
    try:
        check_key(text)
    except ValueError:
        return
    assert text.isascii()
    assert all(segment and not segment.startswith(".") for segment in text.split("/"))
