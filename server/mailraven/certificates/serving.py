"""Keeps the TLS contexts of a process in step: with the store by event, with the files of the settings by looking."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import structlog

from mailraven.certificates.catalogue import Catalogue
from mailraven.certificates.expiry import ExpiryWatch, Lifetime
from mailraven.certificates.index import Index, make_index
from mailraven.certificates.store import CHANNEL
from mailraven.certificates.watched_files import WatchedFiles
from mailraven.db import Database, DatabaseUnavailable, acquire_lease
from mailraven.sealing import Sealer
from mailraven.telemetry import metrics
from mailraven.tls import Pair, PemPair, TlsContexts
from mailraven.tls.selfsigned import make_self_signed

_log = structlog.get_logger(component="certificates")
_RESYNC_SECONDS = 60.0  # a notification may be lost
_RETRY_SECONDS = 2.0
_RENEW_SELF_SIGNED = dt.timedelta(days=365)  # of 397
_LEASE = "certificate-expiry"


class ServedCertificates:
    """One for a process; make it before the database's listener starts.

    The default certificate is that of the settings' files, else that of the store for the host name, else
    `fallback`, else a self-signed one of this process.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        hostname: str,
        *,
        files: WatchedFiles | None = None,
        fallback: WatchedFiles | None = None,
        poll_seconds: float = 10.0,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.contexts = TlsContexts()
        self._database = database
        self._hostname = hostname
        self._files = files
        self._fallback = fallback
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._catalogue = Catalogue(database, sealer)
        self._index = Index({}, None)
        self._expiry = ExpiryWatch()
        self._token = uuid.uuid4().hex
        self._self_signed: tuple[PemPair, dt.datetime] | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        database.listener.subscribe(CHANNEL, self._notified)

    async def start(self) -> None:
        """Returns when the store has been read; it is waited for, however long Postgres is away."""
        while not await self._resync():  # noqa: ASYNC110 - nothing tells when Postgres is back
            await asyncio.sleep(_RETRY_SECONDS)
        self._task = asyncio.create_task(self._run(), name="certificates")

    async def close(self) -> None:
        """The contexts stay as they are."""
        self._database.listener.unsubscribe(CHANNEL, self._notified)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _notified(self, _payload: str | None) -> None:
        self._changed.set()

    async def _run(self) -> None:
        due = time.monotonic() + _RESYNC_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                # Not wait_for(): in Python 3.11 it may swallow a cancellation that comes together with the event.
                async with asyncio.timeout(min(self._poll_seconds, max(0.0, due - time.monotonic()))):
                    await self._changed.wait()
            try:
                if self._changed.is_set() or time.monotonic() >= due:
                    self._changed.clear()
                    done = await self._resync()
                    due = time.monotonic() + (_RESYNC_SECONDS if done else _RETRY_SECONDS)
                elif await self._files_changed():
                    self._apply()
            except Exception:  # noqa: BLE001 - whatever it was, what is served now goes on
                _log.exception("certificates could not be renewed")

    async def _resync(self) -> bool:
        """False: Postgres is away."""
        try:
            changed = await self._catalogue.refresh()
        except DatabaseUnavailable as error:
            _log.warning("certificates not read", reason=str(error))
            return False
        now = self._clock()
        turned = self._index.stands_until is not None and now >= self._index.stands_until
        if changed or turned:
            # Thousands of names: not in the event loop.
            self._index = await asyncio.to_thread(make_index, list(self._catalogue.pairs), now)
            _log.info("certificates_changed", names=len(self._index.names))
        await self._files_changed()
        self._apply()
        await self._watch_expiry(now)
        return True

    async def _files_changed(self) -> bool:
        files = [some for some in (self._files, self._fallback) if some is not None]
        return any([await asyncio.to_thread(some.refresh) for some in files])

    def _apply(self) -> None:
        default = self._default()
        try:
            self.contexts.use(self._index.names, default)
        except Exception as error:  # noqa: BLE001 - opening a key of the store may fail in its own ways
            _log.error("certificate_unusable", certificate=default[0].label, reason=str(error))
            self.contexts.use(self._index.names, [self._own()])

    def _default(self) -> Sequence[Pair]:
        if self._files is not None:
            return [self._files.pair]
        stored = self._index.find(self._hostname)
        if stored:
            self._self_signed = None
            return stored
        return [self._own() if self._fallback is None else self._fallback.pair]

    def _own(self) -> PemPair:
        now = self._clock()
        if self._self_signed is None or now >= self._self_signed[1]:
            pair = PemPair("self-signed certificate", *make_self_signed([self._hostname], now))
            self._self_signed = (pair, now + _RENEW_SELF_SIGNED)
            _log.warning(
                "certificate_self_signed",
                hostname=self._hostname,
                reason="no certificate for this name: clients will refuse it or ask; "
                "upload one, or set tls.cert_file and tls.key_file",
            )
        return self._self_signed[0]

    async def _watch_expiry(self, now: dt.datetime) -> None:
        lifetimes = list(self._lifetimes())
        if lifetimes:
            left = min(lifetime.days_left(now) for lifetime in lifetimes)
            metrics.CERTIFICATE_DAYS_LEFT.labels("tls").set(left)
        try:
            async with self._database.acquire() as connection:
                mine = await acquire_lease(connection, _LEASE, self._token, 2.5 * _RESYNC_SECONDS)
        except DatabaseUnavailable:
            return
        if mine is not None:  # one process speaks for all
            self._expiry.announce(lifetimes, now)

    def _lifetimes(self) -> Iterator[Lifetime]:
        fallback = None if self._index.find(self._hostname) else self._fallback
        files = self._files or fallback
        of_files = None if files is None else files.lifetime()
        if of_files is not None:
            yield of_files
        for pair in self._catalogue.pairs:
            yield Lifetime(pair.label, pair.fingerprint, pair.not_after)
