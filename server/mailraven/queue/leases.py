"""Taking due recipients under a lease, keeping it, giving it back; one claim is one message to one domain.

A worker is known by a random token for each process start. lease_epoch rises with each claim and fences every later
write: a worker that was stopped longer than its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any


@dataclass(frozen=True, slots=True)
class ClaimedRecipient:
    """A recipient that is ours to attempt while (token, epoch) is in its row."""

    id: int
    address: str
    attempts: int
    epoch: int
    delay_warned: bool
    clock_from: datetime | None = None
    """Where the time to expiry begins, when it is not that of the message: it stood still while held."""
    cancelled: str = ""
    """Who does not want it sent, in words: it fails without an attempt, and the sender is told."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One message to one domain: what one SMTP transaction takes."""

    token: str
    account: int
    message_id: int
    domain: str
    recipients: tuple[ClaimedRecipient, ...]
    body_account: int
    body_id: int
    size: int
    return_path: str
    smtputf8: bool
    eight_bit: bool
    envelope_id: str
    trace_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """How much a worker can take: `recipients` rows, `transactions` of them at most, `per_domain` to one domain.

    `busy` says how many transactions to a domain the worker has in hand already: a domain that is full is passed over
    and does not hold up the others.
    """

    recipients: int
    transactions: int
    per_domain: int
    busy: Mapping[str, int]

    def full_domains(self) -> list[str]:
        """Domains that get nothing more now."""
        return [domain for domain, count in self.busy.items() if count >= self.per_domain]


# A worker that died holds its rows until the lease is over. The first time they are due at once; one that loses its
# worker again and again (it may be the cause) waits longer each time.
_RECOVER = """
UPDATE queue_recipient AS r
   SET state = CASE WHEN r.attempts = 0 THEN 'queued' ELSE 'deferred' END,
       lease_token = NULL, leased_until = NULL, updated_at = now(),
       due_at = now() + make_interval(mins => least(60, greatest(0, r.lease_epoch - r.attempts - 1))::integer)
  FROM (SELECT account_id, message_id, id FROM queue_recipient
         WHERE state = 'attempting' AND leased_until < now()
         ORDER BY leased_until LIMIT 1000 FOR UPDATE SKIP LOCKED) AS lost
 WHERE (r.account_id, r.message_id, r.id) = (lost.account_id, lost.message_id, lost.id)
"""

# An account whose sending is held has nothing that is due, but for what was cancelled: it only goes back.
_FREE = """(cancelled <> '' OR account_id <> ALL(ARRAY(SELECT id FROM account WHERE sending_held IS NOT NULL)))"""

# Rows are locked in due order straight from the index queue_recipient_due; what does not fit is unlocked at commit.
_CLAIM = f"""
WITH locked AS MATERIALIZED (
    SELECT account_id, message_id, id, domain, due_at
      FROM queue_recipient
     WHERE state IN ('queued', 'deferred') AND due_at <= now() AND domain <> ALL($4::text[])
       AND {_FREE}
     ORDER BY due_at, account_id, message_id, id
     LIMIT $3
       FOR UPDATE SKIP LOCKED
), transactions AS (
    SELECT *, min(due_at) OVER (PARTITION BY account_id, message_id, domain) AS first_due FROM locked
), ranked AS (
    SELECT *, dense_rank() OVER (PARTITION BY domain ORDER BY first_due, account_id, message_id) AS place
      FROM transactions
), fitting AS (
    SELECT ranked.*, dense_rank() OVER (ORDER BY first_due, account_id, message_id, domain) AS nth
      FROM ranked LEFT JOIN unnest($5::text[], $6::bigint[]) AS b(domain, busy) USING (domain)
     WHERE place + coalesce(busy, 0) <= $7
), taken AS (
    UPDATE queue_recipient AS r
       SET state = 'attempting', lease_token = $1, lease_epoch = r.lease_epoch + 1,
           leased_until = now() + make_interval(secs => $2), updated_at = now()
      FROM fitting AS f
     WHERE f.nth <= $8 AND (r.account_id, r.message_id, r.id) = (f.account_id, f.message_id, f.id)
    RETURNING r.account_id, r.message_id, r.id, r.domain, r.recipient, r.attempts, r.lease_epoch,
              r.delay_warned, r.clock_from, r.cancelled, f.nth
)
SELECT t.*, m.body_account_id, m.body_id, coalesce(b.size, 0) AS size, m.return_path, m.smtputf8, m.eight_bit,
       m.envelope_id, m.trace_id, m.created_at
  FROM taken t
  JOIN queue_message m ON m.account_id = t.account_id AND m.id = t.message_id
  LEFT JOIN body b ON b.account_id = m.body_account_id AND b.id = m.body_id
 ORDER BY t.nth, t.id
"""  # noqa: S608 - constants

# The rows of our leases, locked in key order: extend, release and settle of one claim may meet, and must not deadlock.
_MINE = """
WITH mine AS MATERIALIZED (
    SELECT r.account_id, r.message_id, r.id
      FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS l(account_id, message_id, id, epoch)
      JOIN queue_recipient AS r
        ON r.account_id = l.account_id AND r.message_id = l.message_id AND r.id = l.id
     WHERE r.state = 'attempting' AND r.lease_token = $1 AND r.lease_epoch = l.epoch
     ORDER BY r.account_id, r.message_id, r.id
       FOR UPDATE OF r
)
"""

_EXTEND = (
    _MINE
    + """
UPDATE queue_recipient AS r SET leased_until = now() + make_interval(secs => $6)
  FROM mine WHERE (r.account_id, r.message_id, r.id) = (mine.account_id, mine.message_id, mine.id)
RETURNING r.account_id, r.message_id, r.id
"""
)

_RELEASE = (
    _MINE
    + """
UPDATE queue_recipient AS r
   SET state = CASE WHEN r.attempts = 0 THEN 'queued' ELSE 'deferred' END,
       lease_token = NULL, leased_until = NULL, updated_at = now()
  FROM mine WHERE (r.account_id, r.message_id, r.id) = (mine.account_id, mine.message_id, mine.id)
"""
)

_NEXT_DUE = f"""
SELECT extract(epoch FROM least(
    (SELECT due_at FROM queue_recipient
      WHERE state IN ('queued', 'deferred') AND domain <> ALL($1::text[]) AND {_FREE}
      ORDER BY due_at, account_id, message_id, id LIMIT 1),
    (SELECT min(leased_until) FROM queue_recipient WHERE state = 'attempting')) - clock_timestamp())::float8
"""  # noqa: S608 - constants


async def claim(connection: Any, token: str, room: Room, lease_seconds: float) -> list[Claim]:
    """Lease what is due, oldest first, in a transaction of its own; expired leases of others count as due."""
    async with connection.transaction():
        await connection.execute(_RECOVER)
        rows = await connection.fetch(
            _CLAIM,
            token,
            float(lease_seconds),
            room.recipients,
            room.full_domains(),
            list(room.busy),
            list(room.busy.values()),
            room.per_domain,
            room.transactions,
        )
    return [_claim(token, list(group)) for _, group in groupby(rows, key=lambda row: row["nth"])]


async def extend(connection: Any, claims: Sequence[Claim], lease_seconds: float) -> list[Claim]:
    """Keep the leases for `lease_seconds` from now; returns the claims of which a recipient was lost."""
    if not claims:
        return []
    rows = await connection.fetch(_EXTEND, *_keys(claims), float(lease_seconds))
    kept = {tuple(row) for row in rows}
    return [c for c in claims if any((c.account, c.message_id, r.id) not in kept for r in c.recipients)]


async def release(connection: Any, claims: Sequence[Claim]) -> None:
    """Give back what was not attempted: due as before, at once, to any worker."""
    if claims:
        await connection.execute(_RELEASE, *_keys(claims))


async def next_due(connection: Any, full_domains: Sequence[str] = ()) -> float | None:
    """Seconds until there is something to claim (0 or less: now); None when nothing waits."""
    seconds: float | None = await connection.fetchval(_NEXT_DUE, list(full_domains))
    return seconds


def _keys(claims: Iterable[Claim]) -> tuple[str, list[int], list[int], list[int], list[int]]:
    leased = [(c, r) for c in claims for r in c.recipients]
    return (
        leased[0][0].token,
        [c.account for c, _ in leased],
        [c.message_id for c, _ in leased],
        [r.id for _, r in leased],
        [r.epoch for _, r in leased],
    )


def _claim(token: str, rows: list[Any]) -> Claim:
    first = rows[0]
    return Claim(
        token=token,
        account=first["account_id"],
        message_id=first["message_id"],
        domain=first["domain"],
        recipients=tuple(
            ClaimedRecipient(
                row["id"],
                row["recipient"],
                row["attempts"],
                row["lease_epoch"],
                row["delay_warned"],
                row["clock_from"],
                row["cancelled"],
            )
            for row in rows
        ),
        body_account=first["body_account_id"],
        body_id=first["body_id"],
        size=first["size"],
        return_path=first["return_path"],
        smtputf8=first["smtputf8"],
        eight_bit=first["eight_bit"],
        envelope_id=first["envelope_id"],
        trace_id=first["trace_id"],
        created_at=first["created_at"],
    )
