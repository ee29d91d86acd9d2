"""The end of an attempt: attempting -> delivered | deferred | failed | expired, each only under its lease.

A row whose lease went to another worker is not touched, and the caller learns which were.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailraven.queue.leases import Claim, ClaimedRecipient


class State(enum.StrEnum):
    """States an attempt can end in; the last three of them are final."""

    DEFERRED = "deferred"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Transition:
    """What becomes of one recipient. `due_at` is for DEFERRED only; `reply` is the last one heard, made safe."""

    recipient: ClaimedRecipient
    state: State
    status: str
    reply: str = ""
    remote_mta: str = ""
    due_at: datetime | None = None
    delay_warned: bool = False

    def __post_init__(self) -> None:
        if (self.state is State.DEFERRED) != (self.due_at is not None):
            raise ValueError("exactly a deferred recipient has a time to try it again")


# Locked in key order, as leases are: see queue.leases.
_SETTLE = """
WITH mine AS MATERIALIZED (
    SELECT r.id, t.*
      FROM unnest($4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[], $8::text[], $9::text[], $10::text[],
                  $11::boolean[])
           AS t(recipient_id, epoch, new_state, new_due_at, status, reply, mta, warned)
      JOIN queue_recipient AS r
        ON r.account_id = $1 AND r.message_id = $2 AND r.id = t.recipient_id
     WHERE r.state = 'attempting' AND r.lease_token = $3 AND r.lease_epoch = t.epoch
     ORDER BY r.id
       FOR UPDATE OF r
)
UPDATE queue_recipient AS r
   SET state = mine.new_state, attempts = r.attempts + 1, due_at = coalesce(mine.new_due_at, r.due_at),
       lease_token = NULL, leased_until = NULL, updated_at = now(),
       last_status = mine.status, last_reply = mine.reply, remote_mta = mine.mta,
       delay_warned = r.delay_warned OR mine.warned
  FROM mine
 WHERE r.account_id = $1 AND r.message_id = $2 AND r.id = mine.id
RETURNING r.id
"""


async def settle(connection: Any, claim: Claim, transitions: Sequence[Transition]) -> set[int]:
    """Write the outcomes in one statement of the caller's transaction; returns the ids of recipients still ours."""
    rows = await connection.fetch(
        _SETTLE,
        claim.account,
        claim.message_id,
        claim.token,
        [t.recipient.id for t in transitions],
        [t.recipient.epoch for t in transitions],
        [str(t.state) for t in transitions],
        [t.due_at for t in transitions],
        [t.status for t in transitions],
        [t.reply for t in transitions],
        [t.remote_mta for t in transitions],
        [t.delay_warned for t in transitions],
    )
    return {row["id"] for row in rows}
