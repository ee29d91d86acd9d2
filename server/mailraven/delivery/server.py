"""The delivery daemon: claims what is due, makes the attempts, keeps the leases, drains (RFC 5321 §4.5.4)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from mailraven import queue
from mailraven.config import Config
from mailraven.db import DatabaseUnavailable
from mailraven.delivery import housekeeping
from mailraven.delivery.attempt import Job, Sender
from mailraven.delivery.budget import OctetBudget
from mailraven.delivery.outcome import Outcome, Result
from mailraven.delivery.route import Router
from mailraven.delivery.session import Envelope, LeaseOver, Progress, Timeouts
from mailraven.delivery.settlement import Nouns, Settlement
from mailraven.dns import Resolver
from mailraven.mailstore import BodyRef, Unavailable
from mailraven.queue import Claim, ClaimedRecipient, Room, Schedule
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="delivery")

CHANNEL = "mailraven_queue"
_RECIPIENTS = 100  # of one transaction at most (RFC 5321 §4.5.3.1.8)
_MEMORY = 64 << 20  # octets of messages being sent
_AWAY_SECONDS = 2.0
_CANCELLED = "5.7.0"
_WRITE_SECONDS = 5.0  # for outcomes known at the end of a drain


@dataclass(slots=True, eq=False)
class _Running:
    """A claim in hand. `until` is the end of the lease by our own clock, which runs while we are stopped too."""

    claim: Claim
    until: float
    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[None] | None = None
    decided: bool = False
    """The outcomes are known and only have to be written: not to be interrupted any more."""


class DeliveryServer:
    """One for a process; make it before the database's listener starts."""

    def __init__(
        self,
        config: Config,
        nouns: Nouns,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        settings = config.delivery
        rng = rng or random.Random()  # noqa: S311 - jitter
        self._settings = settings
        self._database = nouns.database
        self._mailstore = nouns.mailstore
        self._token = uuid.uuid4().hex
        resolver = Resolver(settings.resolver, timeout=settings.dns_timeout, rng=rng)
        self._sender = Sender(
            Router(resolver, config.hostname, settings.allow_private_destinations),
            settings.smtp_port,
            Timeouts(settings.connect_timeout, settings.command_timeout, settings.data_timeout),
            OctetBudget(_MEMORY),
        )
        self._settlement = Settlement(
            nouns,
            hostname=config.hostname,
            schedule=Schedule(settings.retry, settings.max_age, settings.warn_after),
            return_header_max=settings.return_header_max,
            rng=rng,
            clock=clock,
        )
        self._running: set[_Running] = set()
        self._wake = asyncio.Event()
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []
        nouns.database.listener.subscribe(CHANNEL, self._notified)
        nouns.mailstore.intake.enqueued = self.wake

    def wake(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    async def start(self, sockets: Sequence[object] = ()) -> None:
        """Begin to work on the queue; a daemon without listeners."""
        self._tasks = [
            asyncio.create_task(self._claim_for_ever(), name="delivery-claim"),
            asyncio.create_task(self._keep_leases(), name="delivery-leases"),
            asyncio.create_task(
                housekeeping.run(self._database, self._mailstore, self._token), name="delivery-housekeeping"
            ),
        ]

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, let attempts finish, then interrupt them and give back what was not sent."""
        self._draining = True
        self.wake()
        if self._tasks:
            await asyncio.wait([self._tasks[0]])
        await self._finish(seconds)
        await self._sender.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._database.listener.unsubscribe(CHANNEL, self._notified)

    async def _finish(self, seconds: float) -> None:
        if attempts := self._attempts():
            await asyncio.wait(attempts, timeout=seconds)
        for running in list(self._running):
            if running.task is not None and not running.decided:
                running.task.cancel()
        if late := self._attempts():
            _, late = await asyncio.wait(late, timeout=_WRITE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _attempts(self) -> set[asyncio.Task[None]]:
        return {running.task for running in self._running if running.task is not None}

    def _notified(self, _payload: str | None) -> None:
        self.wake()

    # -- claiming ----------------------------------------------------------------------------------------------

    async def _claim_for_ever(self) -> None:
        while not self._draining:
            self._wake.clear()
            try:
                wait = await self._claim()
            except DatabaseUnavailable as error:
                _log.warning("queue cannot be read", error=str(error))
                wait = _AWAY_SECONDS
            except Exception:  # noqa: BLE001 - a daemon goes on
                _log.exception("claiming failed")
                wait = _AWAY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait, 0.0)):
                    await self._wake.wait()

    async def _claim(self) -> float:
        """Start what there is room for; returns how long nothing more can come, unless somebody wakes us."""
        settings = self._settings
        free = settings.concurrency - len(self._running)
        if free <= 0:
            return settings.poll_interval  # the next attempt that ends wakes us
        busy = Counter(running.claim.domain for running in self._running)
        room = Room(max(free, _RECIPIENTS), free, settings.concurrency_per_domain, busy)
        until = time.monotonic() + settings.lease
        async with self._database.acquire() as connection:
            claims = await queue.claim(connection, self._token, room, settings.lease)
            for claim in claims:
                self._start(claim, until)
            if claims:
                return 0.0
            due = await queue.next_due(connection, room.full_domains())
        # Something due that could not be claimed is in other hands at this moment.
        return settings.poll_interval if due is None else min(max(due, 0.1), settings.poll_interval)

    def _start(self, claim: Claim, until: float) -> None:
        running = _Running(claim, until)
        self._running.add(running)
        running.task = asyncio.create_task(self._work(running), name=f"delivery-{claim.message_id}")

    # -- leases ------------------------------------------------------------------------------------------------

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            held = {running.claim: running for running in self._running if not running.decided}
            if not held:
                continue
            until = time.monotonic() + self._settings.lease
            try:
                async with self._database.acquire() as connection:
                    lost = await queue.extend(connection, list(held), self._settings.lease)
            except DatabaseUnavailable as error:
                _log.warning("leases not renewed", error=str(error))
                continue
            for claim in lost:
                self._interrupt(held.pop(claim))
            for running in held.values():
                running.until = until

    def _interrupt(self, running: _Running) -> None:
        if running.decided or running.task is None:
            return  # what it writes now is fenced
        _log.warning("lease lost", trace_id=running.claim.trace_id, queue_id=running.claim.message_id)
        running.until = 0.0
        running.task.cancel()

    # -- attempts ----------------------------------------------------------------------------------------------

    async def _work(self, running: _Running) -> None:
        claim, started = running.claim, time.monotonic()
        try:
            outcomes = await self._attempt(running)
            running.decided = True
            ours = await self._settlement.settle(claim, outcomes)
            self._report(claim, outcomes, ours, time.monotonic() - started)
        except LeaseOver:
            _log.warning("lease over before the data", trace_id=claim.trace_id, queue_id=claim.message_id)
        except asyncio.CancelledError:
            if running.until and not running.decided:
                await self._give_back(running)
        except Exception:  # noqa: BLE001 - the lease ends, the recipients are claimed again
            _log.exception("outcome not written", trace_id=claim.trace_id, queue_id=claim.message_id)
        finally:
            self._running.discard(running)
            self.wake()

    async def _attempt(self, running: _Running) -> list[Outcome]:
        """An outcome for each recipient; what was cancelled fails without an attempt."""
        recipients = running.claim.recipients
        wanted = [recipient for recipient in recipients if not recipient.cancelled]
        sent = iter(await self._send(running, wanted) if wanted else ())
        return [Outcome(_CANCELLED, one.cancelled) if one.cancelled else next(sent) for one in recipients]

    async def _send(self, running: _Running, recipients: Sequence[ClaimedRecipient]) -> list[Outcome]:
        claim = running.claim
        if claim.size <= 0:
            _log.error("message without content", trace_id=claim.trace_id, queue_id=claim.message_id)
            return [Outcome("4.3.0", "the content of the message is missing")] * len(recipients)
        ref = BodyRef(claim.body_account, claim.body_id, b"", claim.size)
        job = Job(
            domain=claim.domain,
            envelope=Envelope(claim.return_path, tuple(r.address for r in recipients), eight_bit=claim.eight_bit),
            size=claim.size,
            smtputf8=claim.smtputf8,
            read=lambda: self._mailstore.read(ref),
            still_ours=lambda: time.monotonic() < running.until,
            progress=running.progress,
        )
        try:
            return await self._sender.attempt(job)
        except Unavailable as error:
            problem = Outcome("4.3.0", f"the message cannot be read at this moment: {error}")
        except LeaseOver:
            raise
        except Exception:  # noqa: BLE001 - one message's trouble is not the others'
            _log.exception("attempt failed", trace_id=claim.trace_id, queue_id=claim.message_id)
            problem = Outcome("4.3.0", "internal error of the sending server")
        return [problem] * len(recipients)

    async def _give_back(self, running: _Running) -> None:
        """Interrupted by drain: after the final dot it counts as an attempt of unknown end (RFC 1047)."""
        claim = running.claim
        try:
            if running.progress.dot_sent:
                unknown = Outcome("4.4.2", "interrupted while waiting for the reply", unknown=True)
                await self._settlement.settle(claim, [unknown] * len(claim.recipients))
                metrics.DELIVERY_ATTEMPTS.labels(result="unknown").inc(len(claim.recipients))
            else:
                async with self._database.acquire() as connection:
                    await queue.release(connection, [claim])
        except DatabaseUnavailable as error:
            _log.warning("lease not given back, it will end", trace_id=claim.trace_id, error=str(error))

    def _report(self, claim: Claim, outcomes: Sequence[Outcome], ours: set[int] | None, seconds: float) -> None:
        for recipient, outcome in zip(claim.recipients, outcomes, strict=True):
            result = "unknown" if outcome.unknown else str(outcome.result)
            metrics.DELIVERY_ATTEMPTS.labels(result=result).inc()
            metrics.DELIVERY_SECONDS.labels(result=result).observe(seconds)
            _log.info(
                "attempt",
                trace_id=claim.trace_id,
                queue_id=claim.message_id,
                recipient=recipient.address,
                result=result,
                status=outcome.status,
                reply=outcome.text,
                remote=outcome.remote_mta,
                tls=outcome.tls,
                attempt=recipient.attempts + 1,
                seconds=round(seconds, 3),
                written=ours is not None and recipient.id in ours,
            )
            if outcome.result is Result.FAILED and not claim.return_path:
                _log.warning("double bounce dropped", trace_id=claim.trace_id, recipient=recipient.address)
                metrics.DELIVERY_DSNS.labels(action="dropped").inc()
