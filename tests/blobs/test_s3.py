"""The S3 store alone: a server that stops, refuses or answers nonsense."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailraven.blobs import BlobUnavailable, S3BlobStore
from mailraven.testing.s3_server import S3Server
from mailraven.tls.selfsigned import ensure_self_signed

Make = Callable[..., S3BlobStore]


async def test_a_server_that_stops_is_unavailable_until_it_is_back(tmp_path: Path, s3_store: Make) -> None:
    server = S3Server(tmp_path)
    server.start()
    store = s3_store(server)
    await store.put("aa/bb/one", b"1")
    server.stop()
    for attempt in (store.put("aa/bb/two", b"2"), store.get("aa/bb/one"), store.delete("aa/bb/one"), store.check()):
        with pytest.raises(BlobUnavailable):
            await attempt
    with pytest.raises(BlobUnavailable):
        _ = [blob async for blob in store.list()]
    server.start()
    try:
        assert await store.get("aa/bb/one") == b"1"
        await store.put("aa/bb/two", b"2")
        await store.check()
    finally:
        await store.close()
        server.stop()


async def test_a_bucket_that_does_not_exist_is_said_clearly(s3_server: S3Server, s3_store: Make) -> None:
    store = s3_store(s3_server, bucket="nowhere")
    with pytest.raises(BlobUnavailable, match="bucket nowhere does not exist"):
        await store.check()
    for attempt in (store.put("aa/bb/one", b"1"), store.get("aa/bb/one")):
        with pytest.raises(BlobUnavailable, match="bucket nowhere: NoSuchBucket"):
            await attempt
    await store.close()


async def test_a_missing_bucket_is_made_when_that_is_wanted(s3_server: S3Server, s3_store: Make) -> None:
    for number, first in enumerate(
        (
            lambda store: store.check(),
            lambda store: store.put("aa/bb/one", b"1"),
            lambda store: asyncio.gather(*(store.put(f"aa/bb/{name}", b"1") for name in range(6))),
        )
    ):
        store = s3_store(s3_server, bucket=f"made-{number}", create_bucket=True)
        await first(store)
        await store.put("aa/bb/two", b"2")
        assert await store.get("aa/bb/two") == b"2"
        await store.check()
        await store.close()


async def test_a_wrong_key_is_unavailable_and_not_missing(s3_server: S3Server, s3_store: Make) -> None:
    store = s3_store(s3_server, secret_key="wrong")
    with pytest.raises(BlobUnavailable, match="AccessDenied"):
        await store.check()
    for attempt in (store.put("aa/bb/one", b"1"), store.get("aa/bb/one")):
        with pytest.raises(BlobUnavailable, match="SignatureDoesNotMatch") as caught:
            await attempt
        assert "wrong" not in str(caught.value)
    await store.close()


async def test_stores_with_two_prefixes_share_a_bucket(s3_server: S3Server, s3_store: Make) -> None:
    one, two = s3_store(s3_server, prefix="share/one/"), s3_store(s3_server, prefix="share/two/")
    await one.put("aa/bb/x", b"1")
    await two.put("aa/bb/x", b"2")
    assert await one.get("aa/bb/x") == b"1"
    assert [blob.key async for blob in one.list()] == ["aa/bb/x"]
    await one.delete("aa/bb/x")
    assert await two.get("aa/bb/x") == b"2"
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<h1>",
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 5\r\n\r\n<Erro",
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<h1>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["truncated", "bad-gateway", "broken-xml", "not-utf8", "foreign-404", "not-http", "closed"],
)
async def test_nonsense_from_the_server_is_unavailable(answer: bytes, s3_server: S3Server) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = S3BlobStore(f"127.0.0.1:{port}", "bucket", "key", "secret", secure=False, timeout=2)
    with pytest.raises(BlobUnavailable):
        await store.get("aa/bb/one")
    server.close()
    await server.wait_closed()
    await store.close()


async def test_retry_after_does_not_hold_a_thread() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Slow Down\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = S3BlobStore(f"127.0.0.1:{port}", "bucket", "key", "secret", secure=False, timeout=2)
    async with asyncio.timeout(20):
        with pytest.raises(BlobUnavailable):
            await store.get("aa/bb/one")
    server.close()
    await server.wait_closed()
    await store.close()


async def test_tls_is_verified(tmp_path: Path, s3_store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ensure_self_signed(tmp_path / "tls", ["127.0.0.1"], datetime.now(UTC))
    server = S3Server(tmp_path / "s3", certificate=(files.cert_file, files.key_file))
    server.start()
    stranger = s3_store(server, secure=True)
    with pytest.raises(BlobUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await stranger.put("aa/bb/one", b"1")
    await stranger.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca_file))
    store = s3_store(server, secure=True)
    await store.check()
    data = bytes(range(256)) * 300
    await store.put("aa/bb/one", data)
    assert await store.get("aa/bb/one", 256, 512) == data[256:768]
    await store.close()
    server.stop()


async def test_a_server_that_never_answers_is_given_up(s3_server: S3Server) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = S3BlobStore(f"127.0.0.1:{port}", "bucket", "key", "secret", secure=False, timeout=0.2)
    async with asyncio.timeout(20):
        with pytest.raises(BlobUnavailable, match="timed out"):
            await store.put("aa/bb/one", b"1")
    server.close()
    await server.wait_closed()
    await store.close()
