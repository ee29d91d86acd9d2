"""Who may do what with a repository at the same time, by small objects with an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import structlog

from mailraven.backup.errors import Busy, TargetUnavailable
from mailraven.blobs import BlobError, BlobMissing, BlobStore, BlobUnavailable

_log = structlog.get_logger(component="backup")
_LIFE = 600.0
_RENEW = 120.0
Purpose = Literal["write", "prune", "read"]
_CONFLICTS: dict[Purpose, set[str]] = {
    "write": {"write", "prune"},
    "prune": {"write", "prune", "read"},
    "read": {"prune"},
}


@asynccontextmanager
async def hold(store: BlobStore, kind: Purpose, clock: Callable[[], float] = time.time) -> AsyncIterator[None]:
    """Who was killed is forgotten after ten minutes. Raises Busy, TargetUnavailable.

    A place that cannot be written to can be read without a lock.
    """
    key = f"locks/{kind}-{secrets.token_hex(8)}"
    putting = asyncio.create_task(_put(store, key, clock))
    try:
        await asyncio.shield(putting)
    except asyncio.CancelledError:  # a thread is at it, and ends it whatever we do
        await asyncio.gather(putting, return_exceptions=True)
        with contextlib.suppress(BlobError):
            await store.delete(key)
        raise
    except BlobUnavailable as error:
        if kind != "read":
            raise TargetUnavailable(str(error)) from error
        _log.info("read without a lock", reason=str(error))
        yield
        return
    try:
        if other := await _other(store, key, _CONFLICTS[kind], clock()):
            raise Busy(f"another run is at work there: {other}")
        renewing = asyncio.create_task(_renew(store, key, clock))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
    finally:
        with contextlib.suppress(BlobError):
            await store.delete(key)


async def _put(store: BlobStore, key: str, clock: Callable[[], float]) -> None:
    document = {"until": clock() + _LIFE, "host": socket.gethostname()}
    await store.put(key, json.dumps(document).encode())


async def _renew(store: BlobStore, key: str, clock: Callable[[], float]) -> None:
    while True:
        await asyncio.sleep(_RENEW)
        try:
            await _put(store, key, clock)
        except BlobError as error:
            _log.warning("lock not renewed", error=str(error))


async def _other(store: BlobStore, own: str, kinds: set[str], now: float) -> str | None:
    async for found in store.list("locks/"):
        kind = found.key.removeprefix("locks/").partition("-")[0]
        if found.key == own or kind not in kinds:
            continue
        try:
            document = json.loads(await store.get(found.key))
            until, host = float(document["until"]), str(document["host"])
        except BlobMissing:
            continue
        except (ValueError, KeyError, TypeError, RecursionError):
            until, host = found.modified.timestamp() + _LIFE, "?"
        if until > now:
            return f"{kind} by {host[:64]!r} for up to {until - now:.0f} s more"
        await store.delete(found.key)
    return None
