"""Rates and memory of backup and restore: small messages, large ones, an unchanged instance; inbound mail meanwhile.

python tests/bench/backup.py [--messages 100000] [--large 12500] [--directory DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mailraven.blobs.files import FileBlobStore
from mailraven.db import Database, EmbeddedPostgres, migrate
from mailraven.directory import Directory
from mailraven.mailstore import Delivery, LocalTarget, Mailstore

PROGRAM = [sys.executable, "-c", "from mailraven.cli import main; main()"]
SMALL, LARGE = 4096, 400_000
ACCOUNTS = 50


def message(number: int, octets: int, noise: bytes) -> bytes:
    """Text that compresses as base64 does."""
    at = random.Random(number).randrange(len(noise) - octets)
    head = b"Message-ID: <%d@bench.test>\r\nSubject: number %d\r\nFrom: a@bench.test\r\n\r\n" % (number, number)
    return head + noise[at : at + octets - len(head)]


async def fill(dsn: str, blobs: Path, count: int, octets: int) -> None:
    """An instance with so many messages, in 50 accounts."""
    noise = os.urandom(2 << 20).hex().encode()
    database = await Database.connect(dsn)
    store = FileBlobStore(blobs)
    await store.open()
    directory, mailstore = Directory(database), Mailstore(database, store)
    await directory.create_domain("bench.test")
    accounts = [(await directory.create_account(f"u{n}@bench.test", None)).id for n in range(ACCOUNTS)]
    slots = asyncio.Semaphore(60)

    async def one(number: int) -> None:
        async with slots:
            target = LocalTarget(accounts[number % ACCOUNTS], "u@bench.test")
            await mailstore.intake.deliver(
                Delivery(raw=message(number, octets, noise), recipients=(target,), trace_id="b")
            )

    for first in range(0, count, 2000):
        await asyncio.gather(*(one(number) for number in range(first, min(first + 2000, count))))
    for part in (mailstore, directory, store, database):
        await part.close()


def run(*arguments: str) -> tuple[float, int, dict[str, Any]]:
    """Seconds, the most memory in MiB, and the answer."""
    began = time.monotonic()
    process = subprocess.Popen([*PROGRAM, *arguments, "-o", "json", "--progress", "none"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} failed")
    return time.monotonic() - began, usage.ru_maxrss // 1024, json.loads(answer)


def measure(home: Path, name: str, count: int, octets: int) -> dict[str, Any]:
    """Fill, back up, back up again, restore."""
    source, fresh, target = home / name, home / f"{name}-fresh", home / f"{name}-target"
    source.mkdir(parents=True)
    postgres = EmbeddedPostgres(source / "postgres")
    postgres.start()
    try:
        asyncio.run(migrate(postgres.dsn))
        asyncio.run(fill(postgres.dsn, source / "blobs", count, octets))
    finally:
        postgres.stop()
    first, memory, made = run("backup", "create", "-t", str(target), "--data", str(source))
    again, _, unchanged = run("backup", "create", "-t", str(target), "--data", str(source))
    shutil.copytree(source / "secrets", fresh / "secrets")
    back, memory_back, _ = run("restore", "-t", str(target), "--data", str(fresh))
    megabytes = made["body_octets"] / 1e6
    shutil.rmtree(source)
    shutil.rmtree(fresh)
    shutil.rmtree(target)
    return {
        "case": name, "messages": count, "megabytes": round(megabytes),
        "backup_seconds": round(first, 1), "backup_messages_per_second": round(count / first),
        "backup_mb_per_second": round(megabytes / first), "backup_rss_mib": memory,
        "unchanged_seconds": round(again, 1), "unchanged_added_octets": unchanged["added_octets"],
        "restore_seconds": round(back, 1), "restore_messages_per_second": round(count / back),
        "restore_mb_per_second": round(megabytes / back), "restore_rss_mib": memory_back,
        "hours_for_100_gb": round(1e5 / megabytes * first / 3600, 2),
    }  # fmt: skip


def disk(home: Path) -> int:
    """MB/s of sequential writing, synced."""
    octets, began = os.urandom(8 << 20), time.monotonic()
    with (home / "disk").open("wb") as file:
        for _ in range(64):
            file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.monotonic() - began
    (home / "disk").unlink()
    return round(512 * 1.048576 / seconds)


def main() -> None:
    """Prints a JSON object for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=12_500, help="of 400 kB: 5 GB")
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mr-bench-", dir=options.directory) as home:
        Path(home).chmod(0o711)
        print(json.dumps({"disk_mb_per_second": disk(Path(home))}), flush=True)
        for name, count, octets in (("small", options.messages, SMALL), ("large", options.large, LARGE)):
            if count:
                print(json.dumps(measure(Path(home), name, count, octets)), flush=True)
    print(json.dumps({"own_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    main()
