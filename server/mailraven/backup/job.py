"""Whole runs as commands and the API start them: open the target, do it, delete what is too old."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailraven.backup.create import create
from mailraven.backup.errors import BackupError, NothingFound
from mailraven.backup.locks import Purpose
from mailraven.backup.place import open_place, read_key
from mailraven.backup.progress import Progress
from mailraven.backup.prune import Pruned, prune
from mailraven.backup.repository import Listed, Repository
from mailraven.backup.retention import Retention
from mailraven.backup.runs import recorded, resumed
from mailraven.backup.snapshot import Snapshot
from mailraven.backup.verify import Verified, verify_snapshot
from mailraven.blobs import BlobStore
from mailraven.config import Config
from mailraven.db import Database

_NICE = 19
_STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Target:
    """Where, and with which key; what is not given is that of the settings."""

    place: str = ""
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup, and what its making deleted."""

    name: str
    snapshot: Snapshot
    pruned: Pruned | None


def yield_to_others() -> None:
    """This thread and those that it starts compute only what nobody else needs: mail goes first."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@asynccontextmanager
async def open_target(config: Config, target: Target, purpose: Purpose) -> AsyncIterator[Repository]:
    """Raises BackupError, ConfigError."""
    place = target.place or config.backup.target
    _check_apart(config, place)
    key = read_key(target.key_file or config.backup.key_file)
    store = await open_place(place, config.backup, config.blobs.s3, write=purpose == "write")
    try:
        async with Repository.open(store, purpose, key) as repository:
            yield repository
    finally:
        await store.close()


async def make_backup(
    config: Config,
    database: Database,
    blobs: BlobStore,
    target: Target,
    progress: Progress,
    *,
    actor: str,
    run_id: int | None = None,
    keep_all: bool = False,
) -> Made:
    """Made, read back, and then what is older than the settings say is deleted; all of it in the book of runs, where
    `run_id` may stand already.
    """
    place = target.place or config.backup.target
    book = recorded(database, actor, place, progress) if run_id is None else resumed(database, run_id, progress)
    async with book as run:
        async with open_target(config, target, "write") as repository:
            listed, snapshot = await create(database, blobs, repository, progress)
        run.result = (listed.name, snapshot)
        pruned = None if keep_all else await prune_backups(config, target, progress)
    return Made(listed.name, snapshot, pruned)


async def prune_backups(config: Config, target: Target, progress: Progress, *, dry_run: bool = False) -> Pruned:
    """By the retention of the settings."""
    own = config.backup
    retention = Retention(own.keep_days, own.keep_daily, own.keep_weekly, own.keep_monthly)
    async with open_target(config, target, "prune") as repository:
        return await prune(repository, retention, progress, dry_run=dry_run)


async def verify_backups(
    config: Config, target: Target, progress: Progress, *, at: str | None = None, every: bool = False
) -> list[tuple[Listed, Verified]]:
    """Reads one (the newest) or all of them to the last octet. Raises DamagedBackup."""
    async with open_target(config, target, "read") as repository:
        listed = await repository.snapshots() if every else [await choose(repository, at)]
        found = []
        for one in listed:
            found.append((one, await verify_snapshot(repository, await repository.read_snapshot(one), progress)))
        return found


async def choose(repository: Repository, at: str | None) -> Listed:
    """By name, the newest of a time (ISO 8601), or the newest of all. Raises NothingFound."""
    listed = await repository.snapshots()
    if at is None:
        if not listed:
            raise NothingFound("there is no finished backup here")
        return listed[-1]
    if named := [one for one in listed if one.name.startswith(at)]:
        return named[-1]
    stamp = _moment(at)
    if earlier := [one for one in listed if one.taken <= stamp]:
        return earlier[-1]
    raise NothingFound(f"there is no backup of {at} or before")


def _moment(text: str) -> str:
    if _STAMP.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"{text}: expected the name of a backup, or a time such as 2026-11-21T02:00+01:00") from None
    if moment.tzinfo is None:
        moment = moment.astimezone()
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def _check_apart(config: Config, place: str) -> None:
    """A backup inside of the blob store would be taken for its blobs."""
    if config.blobs.kind != "file" or place.startswith("s3://") or not place:
        return
    blobs, target = config.blobs.directory.absolute(), Path(place).absolute()
    if target == blobs or blobs in target.parents or target in blobs.parents:
        raise BackupError(f"{target} and the blob store {blobs} are in one another: choose another target")
