"""`verify system`: can this installation do its work? Versions, durability, storage, clock, queue, ports, TLS, DNS.

Each check is bounded in time and fails for itself: one that cannot be made is `unknown`, not a problem.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from mailraven import __version__, queue
from mailraven.blobs import BlobStore, BlobUnavailable
from mailraven.config import Config
from mailraven.db import Connection, Database, DatabaseUnavailable, pending_migrations
from mailraven.directory.domain_specs import effective
from mailraven.dns import PublishedKey, Resolver, check_records, domain_records
from mailraven.verify.finding import Finding, Severity

_SECONDS = 20.0
_CONNECT = 5.0
_SKEW_WARNING, _SKEW_PROBLEM = 2.0, 30.0
_DAYS_WARNING = 14
_DOMAINS = 200
_OLDEST_POSTGRES = 150_000
_LISTENERS = {
    "mx": "starttls-smtp",
    "submission": "starttls-smtp",
    "submissions": "tls",
    "imap": "imap",
    "imaps": "tls",
}
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


async def verify_system(config: Config, database: Database, blobs: BlobStore, resolver: Resolver) -> list[Finding]:
    """In the order of the checks."""
    checks: list[tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]] = [
        ("versions", lambda: _versions(database)),
        ("durability", lambda: _durability(database)),
        ("clock", lambda: _clock(database)),
        ("blobs", lambda: _blobs(config, blobs)),
        ("queue", lambda: _queue(config, database)),
        ("ports", lambda: _ports(config)),
        ("dns", lambda: _dns(config, database, resolver)),
    ]
    groups = await asyncio.gather(*(_bounded(name, check) for name, check in checks))
    return [finding for group in groups for finding in group]


async def _bounded(name: str, check: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(_SECONDS):
            return await check()
    except (DatabaseUnavailable, BlobUnavailable) as error:
        return [Finding(name, Severity.PROBLEM, str(error), 1)]
    except TimeoutError:
        return [Finding(name, Severity.UNKNOWN, f"no answer in {_SECONDS:.0f} s", 1)]


async def _versions(database: Database) -> list[Finding]:
    async with database.acquire() as connection:
        number = int(await connection.fetchval("SHOW server_version_num"))
        name = await connection.fetchval("SHOW server_version")
        pending = await pending_migrations(connection)
    text = f"MailRaven {__version__}, Python {sys.version.split()[0]}, Postgres {name}"
    if pending:
        return [
            Finding("versions", Severity.PROBLEM, f"{text}: {len(pending)} migrations are not applied", len(pending))
        ]
    if number < _OLDEST_POSTGRES:
        return [Finding("versions", Severity.PROBLEM, f"{text}: Postgres 15 is the oldest that is supported", 1)]
    return [Finding("versions", Severity.OK, text)]


async def _durability(database: Database) -> list[Finding]:
    """What an acknowledged message relies on."""
    async with database.acquire() as connection:
        found = {name: await _show(connection, name) for name in ("fsync", "synchronous_commit", "full_page_writes")}
        standby = await _show(connection, "synchronous_standby_names")
    off = [name for name, value in found.items() if value == "off"]
    if off:
        text = f"{', '.join(off)} is off in Postgres: a crash loses mail that was acknowledged"
        return [Finding("durability", Severity.PROBLEM, text, len(off))]
    if found["synchronous_commit"] == "local" or not standby:
        text = "durable on the primary; no synchronous standby, so a failover may lose the last moments"
        return [Finding("durability", Severity.OK, text)]
    return [Finding("durability", Severity.OK, f"durable on the primary and on {standby}")]


async def _show(connection: Connection, name: str) -> str:
    return str(await connection.fetchval("SELECT current_setting($1)", name))


async def _clock(database: Database) -> list[Finding]:
    async with database.acquire() as connection:
        before = datetime.now(UTC)
        there = await connection.fetchval("SELECT clock_timestamp()")
        middle = before + (datetime.now(UTC) - before) / 2
    skew = abs((there - middle).total_seconds())
    text = f"{skew:.1f} s between this host and Postgres"
    if skew > _SKEW_PROBLEM:
        return [Finding("clock", Severity.PROBLEM, text, 1)]
    return [
        Finding("clock", Severity.WARNING if skew > _SKEW_WARNING else Severity.OK, text, int(skew > _SKEW_WARNING))
    ]


async def _blobs(config: Config, blobs: BlobStore) -> list[Finding]:
    await blobs.check()
    if config.blobs.kind != "file":
        return [Finding("blobs", Severity.OK, f"bucket {config.blobs.s3.bucket} answers")]
    stat = await asyncio.to_thread(os.statvfs, config.blobs.directory)
    used = 100 - 100 * stat.f_bavail // max(1, stat.f_blocks)
    text = f"{stat.f_bavail * stat.f_frsize >> 20} MiB free ({used} % used)"
    # Features, S1 EC-3: warn at 80 %, refuse mail at 95 %.
    severity = Severity.PROBLEM if used >= 95 else Severity.WARNING if used >= 80 else Severity.OK
    return [Finding("blobs", severity, text, int(severity is not Severity.OK))]


async def _queue(config: Config, database: Database) -> list[Finding]:
    async with database.acquire() as connection:
        depth = await queue.depth(connection)
    text = ", ".join(f"{count} {state}" for state, count in depth.counts.items())
    if depth.late_seconds > config.health.queue_late:
        text += f"; the oldest is {depth.late_seconds:.0f} s late: does a delivery role run?"
        return [Finding("queue", Severity.PROBLEM, text, 1)]
    return [Finding("queue", Severity.OK, text)]


# -- ports and certificates ------------------------------------------------------------------------------------


async def _ports(config: Config) -> list[Finding]:
    return list(await asyncio.gather(*(_port(config, name, how) for name, how in _LISTENERS.items())))


async def _port(config: Config, name: str, how: str) -> Finding:
    listener = getattr(config.listeners, name)
    host, check = _WILDCARDS.get(listener.host, listener.host), f"port {name}"
    if not listener.port:
        return Finding(check, Severity.UNKNOWN, "the system chooses the port")
    if listener.proxy_protocol == "require":
        return Finding(check, Severity.UNKNOWN, "answers balancers only (proxy_protocol)")
    try:
        async with asyncio.timeout(_CONNECT):
            expires = await _certificate_end(host, listener.port, how)
    except (OSError, TimeoutError, ssl.SSLError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        return Finding(check, Severity.PROBLEM, f"{host}:{listener.port} does not answer as it should: {reason}", 1)
    days = (expires - datetime.now(UTC)).days
    text = f"{host}:{listener.port}, certificate for {days} more days"
    severity = Severity.PROBLEM if days < 0 else Severity.WARNING if days < _DAYS_WARNING else Severity.OK
    return Finding(check, severity, text, int(severity is not Severity.OK))


async def _certificate_end(host: str, port: int, how: str) -> datetime:
    """A handshake as a client makes it, whoever signed the certificate."""
    from cryptography import x509

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what it is, not whether to trust it
    if how == "tls":
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=None)
    else:
        reader, writer = await asyncio.open_connection(host, port)
    try:
        if how == "starttls-smtp":
            await _expect(reader, b"220")
            writer.write(b"EHLO localhost\r\n")
            await _expect(reader, b"250 ")
            writer.write(b"STARTTLS\r\n")
            await _expect(reader, b"220")
            await writer.start_tls(context)
        elif how == "imap":
            await _expect(reader, b"* OK")
            writer.write(b"a STARTTLS\r\n")
            await _expect(reader, b"a OK")
            await writer.start_tls(context)
        secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
        octets = secured.getpeercert(binary_form=True)
    finally:
        writer.close()
    if octets is None:
        raise ValueError("no certificate")
    return x509.load_der_x509_certificate(octets).not_valid_after_utc


async def _expect(reader: asyncio.StreamReader, start: bytes) -> None:
    while line := await reader.readline():
        if line.startswith(start):
            return
        if not line.startswith(start[:3] + b"-"):
            break
    raise ValueError("another answer than expected")


# -- DNS -------------------------------------------------------------------------------------------------------


async def _dns(config: Config, database: Database, resolver: Resolver) -> list[Finding]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT id, name, template, spec FROM domain WHERE NOT suspended ORDER BY name LIMIT $1", _DOMAINS
        )
        keys = await connection.fetch(
            "SELECT domain_id, selector, algorithm, public_key, state FROM dkim_key WHERE state = 'active'"
        )
    found = [await _host(config.hostname)]
    for row in rows:
        own = [
            PublishedKey(key["selector"], key["algorithm"], key["public_key"])
            for key in keys
            if key["domain_id"] == row["id"]
        ]
        hostname = effective(json.loads(row["template"]), json.loads(row["spec"])).hostname or config.hostname
        records = domain_records(row["name"], hostname, own)
        findings = await check_records(resolver, records, hostname, greeting=config.hostname, timeout=_CONNECT)
        wrong = [one for one in findings if one.state != "ok" and one.required]
        check = f"dns {row['name']}"
        if not wrong:
            found.append(Finding(check, Severity.OK, f"{len(findings)} records"))
            continue
        examples = tuple(f"{one.type} {one.name}: {one.state} {one.detail}".strip() for one in wrong[:5])
        unknown = all(one.state == "error" for one in wrong)
        text = "the DNS does not answer" if unknown else "`mailraven dns check` says what to publish"
        found.append(Finding(check, Severity.UNKNOWN if unknown else Severity.PROBLEM, text, len(wrong), examples))
    return found


async def _host(hostname: str) -> Finding:
    try:
        async with asyncio.timeout(_CONNECT):
            addresses = await asyncio.get_running_loop().getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return Finding("hostname", Severity.WARNING, f"{hostname} has no address: other servers may refuse its mail", 1)
    return Finding("hostname", Severity.OK, f"{hostname} is {addresses[0][4][0]}")
