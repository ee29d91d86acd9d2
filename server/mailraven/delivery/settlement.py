"""Writes the end of an attempt: states and DSNs in one transaction, only for recipients still under our lease.

Who holds a connection here may need a second one to place a DSN's body: one DSN at a time, so that the pool of a
process can never be eaten up by holders that wait for each other.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from mailraven import queue
from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.delivery import dsn, tracing
from mailraven.delivery.outcome import Outcome
from mailraven.delivery.plan import Planned, plan, postponed
from mailraven.directory import (
    AddressError,
    Directory,
    DirectoryUnavailable,
    NotLocalDomain,
    Targets,
    parse_address,
)
from mailraven.mailstore import (
    BodyRef,
    Delivered,
    Delivery,
    LocalTarget,
    Mailstore,
    NoSuchMailbox,
    RemoteRecipient,
    Unavailable,
)
from mailraven.queue import Claim, Schedule
from mailraven.smtp.received import delivered_to, return_path
from mailraven.telemetry import metrics
from mailraven.trace import Recorder

_log = structlog.get_logger(component="delivery")
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


class Nouns(Protocol):
    """What delivery stands on; the composition root has it."""

    @property
    def database(self) -> Database: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def mailstore(self) -> Mailstore: ...
    @property
    def trace(self) -> Recorder: ...


@dataclass(frozen=True, slots=True)
class _Address:
    """Where DSNs for a return path go."""

    local: tuple[LocalTarget, ...] = ()
    remote: tuple[RemoteRecipient, ...] = ()


class Settlement:
    """One for a process."""

    def __init__(
        self,
        nouns: Nouns,
        *,
        hostname: str,
        schedule: Schedule,
        return_header_max: int,
        rng: random.Random,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = nouns.database
        self._directory = nouns.directory
        self._mailstore = nouns.mailstore
        self._trace = nouns.trace
        self._hostname = hostname
        self._schedule = schedule
        self._return_header_max = return_header_max
        self._rng = rng
        self._clock = clock
        self._one_dsn = asyncio.Lock()

    async def settle(self, claim: Claim, outcomes: Sequence[Outcome]) -> set[int] | None:
        """Make the outcomes durable; returns the ids of the recipients that were still ours.

        The remote may have the message already: while the database is away it is tried again and again, for half a
        minute. None: it stayed away, the lease will end and the message goes out once more.
        """
        planned = plan(claim, outcomes, self._schedule, self._clock(), self._rng)
        for delay in (*_RETRY_SECONDS, *_RETRY_SECONDS[-2:]):
            try:
                return await self._settle_once(claim, planned)
            except DatabaseUnavailable as error:
                _log.warning("outcome not written yet", trace_id=claim.trace_id, error=str(error))
                await asyncio.sleep(delay)
        return None

    async def _settle_once(self, claim: Claim, planned: list[Planned]) -> set[int]:
        try:
            return await self._write(claim, planned, await self._return_address(claim, planned))
        except (Unavailable, DirectoryUnavailable) as error:
            # The DSN cannot be stored: those recipients wait and fail again, the others are written as they are.
            _log.warning("notification postponed", trace_id=claim.trace_id, error=str(error))
            return await self._write(claim, postponed(planned, self._clock()), None)
        except NoSuchMailbox:
            _log.warning("sender has no INBOX, notification dropped", trace_id=claim.trace_id)
            return await self._write(claim, planned, None)

    async def _write(self, claim: Claim, planned: Sequence[Planned], address: _Address | None) -> set[int]:
        """The transaction; `announce` comes after its commit."""
        header = b""
        sent: list[tuple[dsn.Action, Delivered]] = []
        async with AsyncExitStack() as stack:
            if address is not None:
                header = await self._header(claim)
                await stack.enter_async_context(self._one_dsn)
            connection = await stack.enter_async_context(self._database.transaction())
            ours = await queue.settle(connection, claim, [one.transition for one in planned])
            if address is not None:
                sent = await self._notify(connection, claim, planned, ours, address, header)
        tracing.attempted(self._trace, claim, planned, ours)
        for action, delivered in sent:
            tracing.notified(self._trace, claim, planned, ours, action, delivered)
            self._mailstore.intake.announce(delivered)
            metrics.DELIVERY_DSNS.labels(action=str(action)).inc()
            _log.info(
                "notification sent",
                trace_id=claim.trace_id,
                queue_id=claim.message_id,
                action=str(action),
                to=claim.return_path,
                notification_queue_id=delivered.queue_id,
            )
        return ours

    async def _notify(
        self,
        connection: Connection,
        claim: Claim,
        planned: Sequence[Planned],
        ours: set[int],
        address: _Address,
        header: bytes,
    ) -> list[tuple[dsn.Action, Delivered]]:
        sent = []
        for action in dsn.Action:
            reports = [
                one.report
                for one in planned
                if one.report is not None and one.report.action is action and one.transition.recipient.id in ours
            ]
            if reports:
                delivery = self._delivery(claim, reports, address, header)
                sent.append((action, await self._mailstore.intake.deliver_on(connection, delivery)))
        return sent

    def _delivery(self, claim: Claim, reports: Sequence[dsn.Report], address: _Address, header: bytes) -> Delivery:
        raw = dsn.compose(
            dsn.Notification(
                reporting_mta=self._hostname,
                to=claim.return_path,
                reports=reports,
                arrived_at=claim.created_at,
                now=self._clock(),
                unique=uuid.uuid4().hex,
                envelope_id=claim.envelope_id,
                header=header,
            )
        )
        return Delivery(
            raw=raw,
            recipients=address.local,
            remote=address.remote,
            return_path="",  # RFC 3461 §6.1, RFC 3464 §2
            trace_id=claim.trace_id,
            submitter_account=claim.account,
            smtputf8=not claim.return_path.isascii(),
        )

    async def _return_address(self, claim: Claim, planned: Sequence[Planned]) -> _Address | None:
        """None: nobody is to be told, or nobody can be."""
        if not any(one.report for one in planned):
            return None
        sender = claim.return_path
        try:
            parsed = parse_address(sender)
        except AddressError:
            _log.warning("return path is no address, notification dropped", trace_id=claim.trace_id)
            return None
        resolution = await self._directory.resolve(sender)
        if isinstance(resolution, NotLocalDomain):
            return _Address(remote=(RemoteRecipient(str(parsed), parsed.domain),))
        if not isinstance(resolution, Targets):
            _log.warning("sender is gone, notification dropped", trace_id=claim.trace_id, sender=sender)
            metrics.DELIVERY_DSNS.labels(action="dropped").inc()
            return None
        local = tuple(
            LocalTarget(account.account_id, account.address, return_path("") + delivered_to(account.address))
            for account in resolution.accounts
        )
        forwards = [parse_address(target) for target in resolution.remote]
        return _Address(local, tuple(RemoteRecipient(str(to), to.domain) for to in forwards))

    async def _header(self, claim: Claim) -> bytes:
        limit = self._return_header_max
        ref = BodyRef(claim.body_account, claim.body_id, b"", claim.size)
        return dsn.cut_header(await self._mailstore.read(ref, 0, min(limit + 4, claim.size)), limit)
