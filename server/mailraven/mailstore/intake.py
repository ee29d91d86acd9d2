"""The way in for every new message: group commit, one statement a batch, acknowledged only after it is durable.

While one commit runs, the next batch gathers (no timer). A batch that fails is retried message by message, so that one
bad message hurts nobody else; one whose outcome is unknown (the connection broke) is sent again with the same body
ids, and a duplicate key then means that it had been committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import structlog

from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.mailstore import intake_sql
from mailraven.mailstore.bodies import BodyStore, StoredBody
from mailraven.mailstore.errors import NoSuchMailbox, Unavailable
from mailraven.mailstore.model import Delivered, Delivery
from mailraven.message import Summary, summarize
from mailraven.queue import NewMessage, enqueue
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="mailstore")

_BATCH_ITEMS = 200
_BATCH_OCTETS = 4 << 20
_PARSE_ON_LOOP = 256 << 10
_RETRY_SECONDS = (
    0.05,
    0.2,
    0.5,
    1.0,
    2.0,
)  # a restarting Postgres is back within this; then the peer hears 451


@dataclass(slots=True)
class Target:
    """One new message row: mailbox is its id."""

    account: int
    mailbox: int
    flags: int
    prefix: bytes
    internal_date: datetime


@dataclass(slots=True)
class Arrival:
    """One message on its way in: its body, and where it goes."""

    body: StoredBody
    summary: Summary
    targets: list[Target]
    outbound: NewMessage | None = None


@dataclass(slots=True)
class Committed:
    """What the transaction gave: per target (account, mailbox, uid, uidvalidity), and the queue id."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    queue_id: int | None = None


@dataclass(slots=True)
class _Entry:
    """Arrivals that stand or fall together, and who waits for them."""

    arrivals: list[Arrival]
    future: asyncio.Future[list[Committed]]
    uncertain: bool = False
    """An earlier try broke off and may have been committed."""

    @property
    def octets(self) -> int:
        return sum(len(arrival.body.inline or b"") for arrival in self.arrivals)


Published = Callable[[int, int, int], None]
"""Called after commit with (account, mailbox id, modseq)."""


class Intake:
    """The group-commit path of one process."""

    def __init__(self, database: Database, bodies: BodyStore, published: Published) -> None:
        self._database = database
        self._bodies = bodies
        self._published = published
        self._inboxes: dict[tuple[int, str], int] = {}
        self._waiting: list[_Entry] = []
        self._runner: asyncio.Task[None] | None = None
        self.enqueued: Callable[[], None] = lambda: None
        """Called after a commit that put mail into the outbound queue."""

    async def deliver(self, delivery: Delivery) -> Delivered:
        """Make one message durable everywhere it goes; returns after the commit.

        Raises:
            Unavailable: nothing was acknowledged; the peer may try again.
            NoSuchMailbox: a target is gone.
        """
        arrival = await self._prepare(delivery)
        (committed,) = await self.add([arrival])
        return Delivered([row[:3] for row in committed.rows], committed.queue_id, arrival.summary.message_id)

    async def deliver_together(self, deliveries: list[Delivery]) -> list[Delivered]:
        """Several messages, all or nothing. Raises as deliver(): the first one decides whether its targets are gone."""
        arrivals = [await self._prepare(delivery) for delivery in deliveries]
        committed = await self._commit_soon(arrivals)
        self._check(arrivals[:1], committed[:1])
        return [
            Delivered([row[:3] for row in one.rows], one.queue_id, arrival.summary.message_id)
            for one, arrival in zip(committed, arrivals, strict=True)
        ]

    async def add(self, arrivals: list[Arrival]) -> list[Committed]:
        """Make placed bodies durable, all or nothing (APPEND). Raises as deliver()."""
        committed = await self._commit_soon(arrivals)
        self._check(arrivals, committed)
        return committed

    async def _commit_soon(self, arrivals: list[Arrival]) -> list[Committed]:
        future: asyncio.Future[list[Committed]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(arrivals, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name="mailstore-intake")
        return await future

    async def deliver_on(self, connection: Connection, delivery: Delivery) -> Delivered:
        """The same inside a transaction of the caller, who calls `announce` after its commit."""
        # Nothing here may borrow a second connection: with all of them in such hands none would ever come free.
        arrival = await self._prepare(delivery, connection)
        results = await self._execute(connection, [arrival])
        self._check([arrival], results)
        return Delivered([row[:3] for row in results[0].rows], results[0].queue_id, arrival.summary.message_id)

    def _check(self, arrivals: list[Arrival], results: list[Committed]) -> None:
        # Some rows but not all: an account was deleted in this moment, and its mail went with it.
        for arrival, committed in zip(arrivals, results, strict=True):
            if arrival.targets and not committed.rows:
                gone = {(target.account, target.mailbox) for target in arrival.targets}
                self._inboxes = {key: box for key, box in self._inboxes.items() if (key[0], box) not in gone}
                raise NoSuchMailbox("the target mailboxes are gone")

    def announce(self, delivered: Delivered) -> None:
        """Tell sessions and the delivery daemon of what deliver_on brought, after the caller's commit."""
        for account, mailbox, _uid in delivered.uids:
            self._published(account, mailbox, 0)
        if delivered.queue_id is not None:
            self._notify_queue()

    async def _prepare(self, delivery: Delivery, connection: Connection | None = None) -> Arrival:
        account = delivery.recipients[0].account if delivery.recipients else delivery.submitter_account
        if account is None:
            raise ValueError("a delivery needs a local recipient or a submitter")
        summary = delivery.summary or await summary_of(delivery.raw)
        body = await self._bodies.place(account, delivery.raw, connection)
        now = datetime.now(UTC).replace(microsecond=0)
        targets = []
        for recipient in delivery.recipients:
            key = (recipient.account, recipient.mailbox)
            mailbox = recipient.mailbox_id or self._inboxes.get(key) or await self._find_mailbox(key, connection)
            targets.append(Target(recipient.account, mailbox, recipient.flags, recipient.prefix, now))
        outbound = None
        if delivery.remote:
            outbound = NewMessage(
                account=account if delivery.submitter_account is None else delivery.submitter_account,
                body_account=body.account,
                body_id=body.id,
                return_path=delivery.return_path,
                recipients=delivery.remote,
                smtputf8=delivery.smtputf8,
                eight_bit=delivery.eight_bit,
                envelope_id=delivery.envelope_id,
                trace_id=delivery.trace_id,
            )
        return Arrival(body, summary, targets, outbound)

    async def _find_mailbox(self, key: tuple[int, str], connection: Connection | None) -> int:
        try:
            async with nullcontext(connection) if connection else self._database.acquire() as borrowed:
                found: int | None = await borrowed.fetchval(
                    "SELECT id FROM mailbox WHERE account_id = $1 AND name = $2", *key
                )
        except DatabaseUnavailable as error:
            raise Unavailable(str(error)) from error
        if found is None:
            raise NoSuchMailbox(f"account {key[0]} has no mailbox {key[1]}")
        if len(self._inboxes) > 50_000:
            self._inboxes.clear()
        self._inboxes[key] = found
        return found

    async def _run(self) -> None:
        while self._waiting:
            batch = self._take()
            if not batch:
                break
            metrics.INTAKE_BATCH.observe(len(batch))
            try:
                await self._commit(batch)
            except BaseException:
                for entry in batch + self._waiting:
                    _fail(entry, Unavailable("the process is stopping"))
                self._waiting.clear()
                raise

    def _take(self) -> list[_Entry]:
        octets = count = 0
        # Who went away before the commit began has heard nothing: it is not stored.
        self._waiting = [entry for entry in self._waiting if not entry.future.done()]
        for entry in self._waiting:
            octets += entry.octets
            if count == _BATCH_ITEMS or (octets > _BATCH_OCTETS and count):
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _commit(self, batch: list[_Entry]) -> None:
        try:
            results = await self._commit_surely(batch)
        except DatabaseUnavailable as error:
            for entry in batch:
                _fail(entry, Unavailable(str(error)))
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one message, the others get through
            if len(batch) > 1:
                _log.warning("batch failed, retrying one by one", error=type(error).__name__, size=len(batch))
                for entry in batch:
                    await self._commit([entry])
            else:
                _log.error("message refused by the database", error=type(error).__name__, detail=str(error))
                _fail(batch[0], Unavailable("the database refused the message"))
            return
        first = 0
        for entry in batch:
            if not entry.future.done():
                entry.future.set_result(results[first : first + len(entry.arrivals)])
            first += len(entry.arrivals)

    async def _commit_surely(self, entries: list[_Entry]) -> list[Committed]:
        """Commit, or find out that it had been committed, across a break of the connection."""
        batch = [arrival for entry in entries for arrival in entry.arrivals]
        for delay in (*_RETRY_SECONDS, None):
            try:
                async with self._database.acquire() as connection:
                    try:
                        return await self._execute_and_publish(connection, batch)
                    except asyncpg.UniqueViolationError:
                        if not any(entry.uncertain for entry in entries):
                            raise
                        return await self._recover(connection, batch)
            except DatabaseUnavailable:
                for entry in entries:
                    entry.uncertain = True
                if delay is None:
                    raise
                await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _execute_and_publish(self, connection: Connection, batch: list[Arrival]) -> list[Committed]:
        if any(entry.outbound for entry in batch):
            async with connection.transaction():
                results = await self._execute(connection, batch, publish=False)
            self._notify_queue()
            for committed in results:
                for account, mailbox, _uid, _validity in committed.rows:
                    self._published(account, mailbox, 0)
            return results
        return await self._execute(connection, batch, publish=True)

    async def _execute(self, connection: Connection, batch: list[Arrival], *, publish: bool = False) -> list[Committed]:
        results = [Committed() for _ in batch]
        rows = await connection.fetch(intake_sql.INSERT, *intake_sql.columns(batch))
        boxes: dict[tuple[int, int], int] = {}
        for row in rows:
            entry_index, account, mailbox, uid, uidvalidity, modseq = row
            results[entry_index].rows.append((account, mailbox, uid, uidvalidity))
            boxes[account, mailbox] = modseq
        outbound = [
            (index, entry.outbound)
            for index, entry in enumerate(batch)
            if entry.outbound is not None and (results[index].rows or not entry.targets)  # else all of it is refused
        ]
        if outbound:
            ids = await enqueue(connection, [message for _, message in outbound])
            for (index, _), queue_id in zip(outbound, ids, strict=True):
                results[index].queue_id = queue_id
        if publish:
            for (account, mailbox), modseq in boxes.items():
                self._published(account, mailbox, modseq)
        return results

    async def _recover(self, connection: Connection, batch: list[Arrival]) -> list[Committed]:
        """The rows of a batch that an earlier try committed."""
        results = []
        for entry in batch:
            found = [tuple(row) for row in await connection.fetch(intake_sql.FIND, entry.body.account, entry.body.id)]
            rows = []  # one a target, in their order; a later COPY of the message has the same body
            for target in entry.targets:
                row = next((row for row in found if row[:2] == (target.account, target.mailbox)), None)
                if row is not None:
                    found.remove(row)
                    rows.append(row)
            queue_id = await connection.fetchval(
                "SELECT id FROM queue_message WHERE body_account_id = $1 AND body_id = $2",
                entry.body.account,
                entry.body.id,
            )
            results.append(Committed(rows, queue_id))
            for account, mailbox, _uid, _validity in rows:
                self._published(account, mailbox, 0)
        self._notify_queue()
        return results

    def _notify_queue(self) -> None:
        self._database.notifier.notify("mailraven_queue")
        self.enqueued()


async def summary_of(raw: bytes) -> Summary:
    """Parse on the event loop what takes some microseconds, elsewhere what may take longer."""
    return summarize(raw) if len(raw) <= _PARSE_ON_LOOP else await asyncio.to_thread(summarize, raw)


def _fail(entry: _Entry, error: Exception) -> None:
    if not entry.future.done():
        entry.future.set_exception(error)
