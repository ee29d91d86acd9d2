"""What clients see while certificates come, change and go: by SNI, without a restart, without a failed handshake."""

import asyncio
import contextlib
import datetime as dt
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from mailraven.certificates import ServedCertificates, WatchedFiles, check_upload, delete_certificate, put_certificate
from mailraven.db import Database
from mailraven.sealing import Sealer
from mailraven.testing.authority import Authority, Issued
from mailraven.tls import TlsError

Seen = Callable[..., str]
HOSTNAME = "mx.example.test"
RSA_SUITES = "ECDHE-RSA-AES256-GCM-SHA384"


async def store(database: Database, sealer: Sealer, name: str, issued: Issued) -> str:
    """Puts it; its serial."""
    upload = check_upload(issued.chain, issued.private_key, dt.datetime.now(dt.UTC))
    async with database.transaction() as connection:
        await put_certificate(connection, sealer, name, upload)
    return issued.serial


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """How long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - begin


@contextlib.asynccontextmanager
async def serving(database: Database, sealer: Sealer, **options: object) -> AsyncIterator[ServedCertificates]:
    served = ServedCertificates(database, sealer, HOSTNAME, **options)  # type: ignore[arg-type]
    await database.listener.start()
    await served.start()
    try:
        yield served
    finally:
        await served.close()


async def test_exact_then_wildcard_then_default(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen
) -> None:
    exact = await store(database, sealer, "exact", authority.issue("imap.example.test"))
    wild = await store(database, sealer, "wild", authority.issue("*.example.test", "other.test"))
    own = await store(database, sealer, "own", authority.issue(HOSTNAME))
    async with serving(database, sealer) as served:
        context = served.contexts.server_context()
        for name, expected in (
            ("imap.example.test", exact),
            ("IMAP.Example.TEST", exact),
            ("smtp.example.test", wild),
            ("other.test", wild),
            ("a.smtp.example.test", own),
            ("example.test", own),
            ("elsewhere.invalid", own),
            (HOSTNAME, own),
            (None, own),
        ):
            assert serial_seen(context, name) == expected, name


async def test_both_kinds_of_keys_for_one_name(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen
) -> None:
    new = await store(database, sealer, "ec", authority.issue("a.test"))
    old = await store(database, sealer, "rsa", authority.issue("a.test", kind="rsa-2048"))
    async with serving(database, sealer) as served:
        context = served.contexts.server_context()
        assert serial_seen(context, "a.test") == new
        assert serial_seen(context, "a.test", RSA_SUITES) == old


async def test_without_any_a_self_signed_one_with_a_warning_until_there_is_one(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen
) -> None:
    with capture_logs() as logs:
        async with serving(database, sealer) as served:
            context = served.contexts.server_context()
            before = serial_seen(context, HOSTNAME)
            assert serial_seen(context, None) == before
            assert [entry["hostname"] for entry in logs if entry["event"] == "certificate_self_signed"] == [HOSTNAME]
            expected = await store(database, sealer, "own", authority.issue("*.example.test"))
            await until(lambda: serial_seen(context, None) == expected)
            async with database.transaction() as connection:
                await delete_certificate(connection, "own")
            await until(lambda: serial_seen(context, None) not in (expected, before))
    assert len([entry for entry in logs if entry["event"] == "certificate_self_signed"]) == 2


async def test_files_of_the_settings_are_the_default_and_read_again(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    first, second = authority.issue(HOSTNAME), authority.issue(HOSTNAME)
    first.write(cert, key)
    await store(database, sealer, "other", authority.issue("other.test"))
    with capture_logs() as logs:
        async with serving(database, sealer, files=WatchedFiles(cert, key), poll_seconds=0.02) as served:
            context = served.contexts.server_context()
            assert serial_seen(context, None) == first.serial
            cert.write_text(second.chain)  # only one of the two
            await until(lambda: any(entry["event"] == "certificate_reload_failed" for entry in logs))
            assert serial_seen(context, None) == first.serial
            replacement = tmp_path / "key.new"
            replacement.write_text(second.private_key)
            replacement.replace(key)
            await until(lambda: serial_seen(context, None) == second.serial)
            key.unlink()
            await until(lambda: len([e for e in logs if e["event"] == "certificate_reload_failed"]) == 2)
            assert serial_seen(context, "unknown.test") == second.serial
    assert len([entry for entry in logs if entry["event"] == "certificate_reload_failed"]) == 2


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="cannot be read: No such file"):
        WatchedFiles(tmp_path / "none", tmp_path / "none")


async def test_a_key_of_another_master_key_hurts_only_its_certificate(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen
) -> None:
    await store(database, Sealer([bytes([7] * 32)]), "foreign", authority.issue("a.test"))
    expected = await store(database, sealer, "wild", authority.issue("*.example.test"))
    with capture_logs() as logs:
        async with serving(database, sealer) as served:
            context = served.contexts.server_context()
            assert serial_seen(context, "a.test") == expected
            assert serial_seen(context, "b.example.test") == expected
    (entry,) = [entry for entry in logs if entry["event"] == "certificate_unusable"]
    assert entry["certificate"] == "foreign"
    assert "secrets.previous_key_files" in entry["reason"]


async def test_one_that_is_over_serves_only_what_no_valid_one_has(
    database: Database, sealer: Sealer, authority: Authority, serial_seen: Seen
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    clock = [dt.datetime.now(dt.UTC)]
    short = await store(database, sealer, "short", authority.issue("a.example.test", "a.test", not_after=soon))
    wild = await store(database, sealer, "wild", authority.issue("*.example.test"))
    async with serving(database, sealer, clock=lambda: clock[0]) as served:
        context = served.contexts.server_context()
        assert serial_seen(context, "a.example.test") == short
        clock[0] += dt.timedelta(hours=2)
        await store(database, sealer, "unrelated", authority.issue("b.test"))
        await until(lambda: serial_seen(context, "a.example.test") == wild)
        assert serial_seen(context, "a.test") == short


async def test_expiry_is_announced_once_for_each_threshold(
    database: Database, sealer: Sealer, authority: Authority
) -> None:
    now = dt.datetime.now(dt.UTC)
    clock = [now]
    await store(database, sealer, "main", authority.issue(HOSTNAME, not_after=now + dt.timedelta(days=20)))
    with capture_logs() as logs:
        async with serving(database, sealer, clock=lambda: clock[0]) as served:
            other = ServedCertificates(database, sealer, HOSTNAME, clock=lambda: clock[0])
            for days in (0, 5, 7, 8, 14, 18, 19.5, 19.6, 21):
                clock[0] = now + dt.timedelta(days=days)
                assert await served._resync()
                assert await other._resync()  # a second process: it keeps quiet
            await other.close()
    said = [(e["event"], e["days_left"]) for e in logs if e["event"].startswith("certificate_expir")]
    assert said == [
        ("certificate_expiring", 13.0),
        ("certificate_expiring", 6.0),
        ("certificate_expiring", 0.5),
        ("certificate_expired", -1.0),
    ]


async def test_fifty_swaps_under_load_and_no_handshake_fails(
    database: Database, sealer: Sealer, authority: Authority, client: ssl.SSLContext
) -> None:
    """Implicit TLS and an upgrade as STARTTLS makes it; each new certificate is seen within 2 s."""
    issued = [authority.issue(HOSTNAME) for _ in range(51)]
    await store(database, sealer, "main", issued[0])
    done, failures = [0], list[str]()
    async with serving(database, sealer) as served:
        context = served.contexts.server_context()
        implicit = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=context)
        upgraded = await asyncio.start_server(lambda r, w: _upgrade(r, w, context), "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (implicit, upgraded)]
        stop = asyncio.Event()

        async def load(port: int, starttls: bool) -> None:
            while not stop.is_set():
                try:
                    await asyncio.wait_for(_serial(port, starttls, client), 10)
                except Exception as error:
                    failures.append(repr(error))
                done[0] += 1

        loads = [asyncio.create_task(load(port, port == ports[1])) for port in (*ports, *ports)]
        slowest = 0.0
        for one in issued[1:]:
            expected = await store(database, sealer, "main", one)
            begin = time.monotonic()
            while await _serial(ports[0], False, client) != expected:
                assert time.monotonic() - begin < 2, "the new certificate was not seen within 2 s"
            slowest = max(slowest, time.monotonic() - begin)
        stop.set()
        await asyncio.gather(*loads)
        implicit.close()
        upgraded.close()
    assert failures == []
    assert done[0] > 50
    if os.environ.get("MAILRAVEN_SHOW"):
        print(f"\n{done[0]} handshakes, slowest swap {slowest * 1000:.0f} ms")


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\r\n")
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    await reader.readline()
    writer.write(b"go\r\n")
    await writer.start_tls(context)
    await _greet(reader, writer)


async def _serial(port: int, starttls: bool, client: ssl.SSLContext) -> str:
    if starttls:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"STARTTLS\r\n")
        assert await reader.readline() == b"go\r\n"
        await writer.start_tls(client, server_hostname=HOSTNAME)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=HOSTNAME)
    assert await reader.readline() == b"hello\r\n"
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return f"{x509.load_der_x509_certificate(der).serial_number:x}"
