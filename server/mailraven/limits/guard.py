"""The guard of accounts that were taken over: foreign recipients never written to before, and bounces, in a day.

It looks beside the path of the mail, in batches after acceptance; over a limit all mail of the account is held.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

import structlog

from mailraven import audit, queue
from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.limits.exemptions import Exemptions
from mailraven.settings import Settings
from mailraven.telemetry import metrics

GATHER_SECONDS = 0.2
BOUNCES_SECONDS = 60.0
_ACTIVE_SECONDS = 7200.0  # since its last message, in which the bounces of an account are looked at
_REMEMBERED = 100_000  # pairs of account and recipient
_WAITING = 50_000

_log = structlog.get_logger(component="limits")

# In the order of the key: two processes that write the same recipients wait for each other.
_LEARN = """
INSERT INTO known_recipient (account_id, address)
SELECT n.account_id, n.address FROM unnest($1::bigint[], $2::text[]) AS n(account_id, address)
  JOIN account a ON a.id = n.account_id
 ORDER BY n.account_id, n.address
ON CONFLICT DO NOTHING
"""
_NEW = """
SELECT a.id, count(*) AS new
  FROM account a JOIN known_recipient k ON k.account_id = a.id
   AND k.first_at > greatest(now() - interval '1 day', a.sending_released_at)
 WHERE a.id = ANY ($1::bigint[]) AND a.sending_held IS NULL
 GROUP BY a.id HAVING count(*) > $2
"""
# Of what the account wrote itself: not of what it forwards, and not what an administrator cancelled.
_BOUNCES = """
SELECT a.id, count(*) FILTER (WHERE r.state = 'failed') AS failed, count(*) AS tried
  FROM account a
  JOIN queue_recipient r ON r.account_id = a.id AND r.state IN ('delivered', 'failed')
   AND r.updated_at > greatest(now() - interval '1 day', a.sending_released_at)
  JOIN queue_message m ON m.account_id = r.account_id AND m.id = r.message_id
 WHERE a.id = ANY ($1::bigint[]) AND a.sending_held IS NULL AND r.last_reply NOT LIKE 'cancelled by %'
   AND EXISTS (SELECT FROM domain d WHERE d.name = lower(split_part(m.return_path, '@', 2)))
 GROUP BY a.id
HAVING count(*) FILTER (WHERE r.state = 'failed') >= greatest($2, count(*) * $3 / 100.0)
"""
_LOCK = """
SELECT a.localpart || '@' || d.name AS address, a.domain_id
  FROM account a JOIN domain d ON d.id = a.domain_id WHERE a.id = $1 AND a.sending_held IS NULL FOR UPDATE OF a
"""


async def release_sending(connection: Connection, account_id: int, by: str) -> queue.Outcome | None:
    """In the caller's transaction: what waits goes out, and the guard counts from now on. None: nothing was held."""
    if not await queue.lift_account_hold(connection, account_id):
        return None
    await connection.execute("UPDATE account SET sending_released_at = now() WHERE id = $1", account_id)
    return await queue.apply(connection, queue.Action.RELEASE, queue.Filter(account=account_id), by=by)


class Guard:
    """One for a process."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        exemptions: Exemptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._database = database
        self._settings = settings
        self._exemptions = exemptions
        self._clock = clock
        self._gather_seconds = gather_seconds
        self._waiting: dict[tuple[int, str], None] = {}
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._active: dict[int, float] = {}
        self._bounces_due = clock() + BOUNCES_SECONDS
        self._task: asyncio.Task[None] | None = None

    def submitted(self, account_id: int, recipients: Iterable[str]) -> None:
        """A message that was accepted from the account, and its foreign recipients. Never waits."""
        if not self._settings.guard.enabled:
            return
        pairs = [(account_id, address.lower()) for address in recipients]
        if not pairs:
            return
        self._active[account_id] = self._clock()
        for pair in pairs:
            if pair in self._seen:
                self._seen.move_to_end(pair)
            elif len(self._waiting) < _WAITING:
                self._waiting[pair] = None
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="limits-guard")

    async def tend(self) -> None:
        """Now and then: look at the bounces of who wrote lately."""
        now = self._clock()
        if now < self._bounces_due or not self._settings.guard.enabled:
            return
        self._bounces_due = now + BOUNCES_SECONDS
        await self.look_at_bounces()

    async def look_at_bounces(self) -> None:
        """Hold the accounts of which too much bounces. Raises DatabaseUnavailable."""
        now, settings = self._clock(), self._settings.guard
        self._active = {one: at for one, at in self._active.items() if now - at < _ACTIVE_SECONDS}
        if not self._active:
            return
        async with self._database.acquire() as connection:
            rows = await connection.fetch(
                _BOUNCES, list(self._active), settings.bounce_minimum, settings.bounce_percent
            )
        for row in rows:
            reason = f"{row['failed']} of {row['tried']} deliveries bounced in a day"
            await self._hold(row["id"], reason, "bounces")

    async def close(self) -> None:
        """Look at what waits, if the database answers."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._look_quietly()

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather_seconds)
            await asyncio.shield(self._look_quietly())

    async def _look_quietly(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self._look(sorted(waiting))
        except DatabaseUnavailable as error:
            _log.warning("recipients not learnt", number=len(waiting), error=type(error).__name__)

    async def _look(self, pairs: list[tuple[int, str]]) -> None:
        settings, accounts = self._settings.guard, sorted({account for account, _ in pairs})
        async with self._database.acquire() as connection:
            await connection.execute(_LEARN, [account for account, _ in pairs], [address for _, address in pairs])
            rows = await connection.fetch(_NEW, accounts, settings.new_recipients_per_day)
        for pair in pairs:
            self._seen[pair] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        for row in rows:
            await self._hold(row["id"], f"{row['new']} new recipients in a day", "new_recipients")

    async def _hold(self, account_id: int, reason: str, why: str) -> None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_LOCK, account_id)
            if row is None or self._exemptions.account(row["address"]):
                return
            await queue.hold_account(connection, account_id, reason)
            await audit.write(
                connection,
                audit.Entry(
                    actor="system",
                    ip="",
                    request_id="",
                    action="account.hold-sending",
                    target=row["address"],
                    domain_id=row["domain_id"],
                    after={"sending_held": reason},
                ),
            )
        metrics.ACCOUNTS_HELD.labels(why).inc()
        _log.warning("account_held", account=row["address"], account_id=account_id, reason=reason)
