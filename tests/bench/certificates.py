"""What thousands of certificates cost: memory, time to read, the SNI callback, a handshake.

    python -m tests.bench.certificates [COUNT]

needs a Postgres like the tests; prints one JSON line for each figure.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mailraven.certificates import ServedCertificates, check_upload, put_certificate
from mailraven.db import Database
from mailraven.sealing import Sealer
from mailraven.testing.authority import Authority
from mailraven.testing.postgres import test_cluster

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Everything, in order."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with test_cluster() as cluster:
        dsn = cluster.create()
        asyncio.run(_fill(dsn, count))
        asyncio.run(_measure(dsn, count))


async def _fill(dsn: str, count: int) -> None:
    database, sealer, authority = await Database.connect(dsn), Sealer([bytes(32)]), Authority()
    now = dt.datetime.now(dt.UTC)
    for start in range(0, count, 500):
        async with database.transaction() as connection:
            for number in range(start, min(count, start + 500)):
                issued = authority.issue(f"mail.c{number}.test", f"imap.c{number}.test", f"smtp.c{number}.test")
                checked = check_upload(issued.chain, issued.private_key, now)
                await put_certificate(connection, sealer, f"c{number}", checked)
        if start == 0:
            begin = time.perf_counter()
            check_upload(issued.chain, issued.private_key, now)
            _say("check of one upload", (time.perf_counter() - begin) * 1000, "ms")
    await database.close()


async def _measure(dsn: str, count: int) -> None:
    database, sealer = await Database.connect(dsn), Sealer([bytes(32)])
    gc.collect()
    before, begin = _resident(), time.perf_counter()
    served = ServedCertificates(database, sealer, "mail.c0.test")
    lag = asyncio.create_task(_lag())
    await served.start()
    _say(f"reading {count} certificates", time.perf_counter() - begin, "s")
    lag.cancel()
    gc.collect()
    _say(f"memory of {count} certificates, no context made", (_resident() - before) / 2**20, "MiB")
    contexts = served.contexts
    names = [f"imap.c{number}.test" for number in range(count)]
    _say("making a context", _each(lambda: contexts.context_for(names.pop()), min(400, count - 1)) * 1000, "ms")
    gc.collect()
    _say("memory with 400 contexts", (_resident() - before) / 2**20, "MiB")
    while names:
        contexts.context_for(names.pop())
    gc.collect()
    _say(f"memory after all {count} names were asked for", (_resident() - before) / 2**20, "MiB")
    _say("finding a context that is made", _each(lambda: contexts.context_for("imap.c0.test"), 10000) * 1e6, "us")
    base = contexts.server_context()
    _say("handshake by SNI", _each(lambda: _handshake(base, "imap.c0.test"), 500) * 1000, "ms")
    plain = contexts.context_for("imap.c0.test")
    _say("handshake without SNI callback", _each(lambda: _handshake(plain, "imap.c0.test"), 500) * 1000, "ms")
    await served.close()
    await database.close()


async def _lag() -> None:
    worst = 0.0
    try:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - begin - 0.001)
    finally:
        _say("longest stall of the event loop meanwhile", worst * 1000, "ms")


def _handshake(server: ssl.SSLContext, name: str) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    one, two = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(one, two, server_hostname=name), server.wrap_bio(two, one, server_side=True)]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass


def _each(action: Callable[[], object], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - begin) / times


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * _PAGE


def _say(what: str, value: float, unit: str) -> None:
    print(json.dumps({"what": what, "value": round(value, 3), "unit": unit}), flush=True)


if __name__ == "__main__":
    main()
