"""What people do to the queue: hold, release, retry now, cancel; bounded, and guarded in SQL.

A recipient that a worker is attempting is not touched but counted: rows are locked in key order, as leases are, and
looked at again once they are ours. The caller notifies 'mailraven_queue' after its commit where `wakes` says so.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any

from mailraven.queue.listing import Condition, Filter

MAX_RECIPIENTS = 10_000
_SWEEP = 1000


class Action(enum.StrEnum):
    """What to do with recipients that wait."""

    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    CANCEL = "cancel"
    CANCEL_WITH_DSN = "cancel_with_dsn"


@dataclass(frozen=True, slots=True)
class Touched:
    """A recipient that an action changed."""

    account: int
    message_id: int
    recipient: str
    return_path: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Recipients by what became of them."""

    changed: int = 0
    attempting: int = 0
    """In the hands of a worker at this moment: not touched."""
    unchanged: int = 0
    """In a state that the action does not fit."""
    account_held: int = 0
    """Not released: all mail of their account is held."""
    more: bool = False
    """The bound was reached; there may be others."""
    touched: tuple[Touched, ...] = field(default=(), compare=False, repr=False)
    """Those that were changed."""


# What each action does to the rows that it fits. $1 is who asked for it.
_CHANGES = {
    Action.HOLD: "state = 'held', held_from = r.state, held_at = now()",
    # The time to expiry stood still meanwhile.
    Action.RELEASE: "state = r.held_from, held_from = NULL, held_at = NULL, "
    "clock_from = coalesce(r.clock_from, chosen.created_at) + (now() - r.held_at)",
    Action.RETRY: "due_at = now()",
    Action.CANCEL: "state = 'failed', held_from = NULL, held_at = NULL, last_status = '5.7.0', last_reply = $1",
    # The next worker fails it and writes the DSN, in one transaction, under a lease like any other outcome.
    Action.CANCEL_WITH_DSN: "state = CASE WHEN r.attempts = 0 THEN 'queued' ELSE 'deferred' END, held_from = NULL, "
    "held_at = NULL, due_at = now(), cancelled = $1, last_status = '5.7.0', last_reply = $1",
}
# Not r.state itself: by a partial index whose statistics are old, Postgres would read all of `chosen` for each row
# (17 s for 10,000). This way each is looked up by its key.
_STATE = "(r.state || '')"
_FITS = {
    Action.HOLD: f"{_STATE} IN ('queued', 'deferred') AND r.cancelled = ''",
    Action.RELEASE: f"{_STATE} = 'held' AND NOT chosen.account_held",
    Action.RETRY: f"{_STATE} IN ('queued', 'deferred')",
    Action.CANCEL: f"{_STATE} IN ('queued', 'deferred', 'held')",
    Action.CANCEL_WITH_DSN: f"{_STATE} IN ('queued', 'deferred', 'held') AND r.cancelled = ''",
}
_CANDIDATES = {
    Action.HOLD: ("queued", "deferred", "attempting"),
    Action.RELEASE: ("held",),
    Action.RETRY: ("queued", "deferred", "attempting"),
    Action.CANCEL: ("queued", "deferred", "held", "attempting"),
    Action.CANCEL_WITH_DSN: ("queued", "deferred", "held", "attempting"),
}

_APPLY = """
WITH chosen AS MATERIALIZED (
    SELECT r.account_id, r.message_id, r.id, r.state, r.recipient, m.return_path, m.trace_id, m.created_at,
           EXISTS (SELECT FROM account a WHERE a.id = m.account_id AND a.sending_held IS NOT NULL) AS account_held
      FROM queue_recipient r JOIN queue_message m ON m.account_id = r.account_id AND m.id = r.message_id
     WHERE {condition}
     ORDER BY r.account_id, r.message_id, r.id LIMIT $2
       FOR UPDATE OF r
), changed AS (
    UPDATE queue_recipient AS r SET {change}, updated_at = now()
      FROM chosen
     WHERE r.account_id = chosen.account_id AND r.message_id = chosen.message_id AND r.id = chosen.id AND {fits}
    RETURNING r.id
)
SELECT account_id, message_id, recipient, return_path, trace_id, id, state, account_held
  FROM chosen WHERE $1::text IS NOT NULL
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, id, NULL, NULL FROM changed
"""

_HOLD_ACCOUNT = """
UPDATE account SET sending_held = $2, version = version + 1, updated_at = now()
 WHERE id = $1 AND sending_held IS DISTINCT FROM $2
"""
_SWEEP_HELD = """
WITH late AS MATERIALIZED (
    SELECT account_id, message_id, id FROM queue_recipient
     WHERE state IN ('queued', 'deferred') AND cancelled = ''
       AND account_id = ANY(ARRAY(SELECT id FROM account WHERE sending_held IS NOT NULL))
     ORDER BY account_id, message_id, id LIMIT $1
       FOR UPDATE SKIP LOCKED
)
UPDATE queue_recipient AS r SET state = 'held', held_from = r.state, held_at = now(), updated_at = now()
  FROM late WHERE r.account_id = late.account_id AND r.message_id = late.message_id AND r.id = late.id
"""


def wakes(action: Action, outcome: Outcome) -> bool:
    """Whether delivery has something to do now."""
    return outcome.changed > 0 and action not in (Action.HOLD, Action.CANCEL)


async def apply(connection: Any, action: Action, chosen: Filter, *, by: str, limit: int = MAX_RECIPIENTS) -> Outcome:
    """Inside the caller's transaction. Without states in the filter: those that the action is for; of one message all.

    `by` is kept as the reason of what was cancelled.
    """
    if not chosen.states and chosen.message is None:
        chosen = replace(chosen, states=_CANDIDATES[action])
    condition = Condition(chosen, first_parameter=3)
    statement = _APPLY.format(condition=condition.sql, change=_CHANGES[action], fits=_FITS[action])
    prepared = await connection.prepare(statement)
    who = "an administrator" if action is Action.CANCEL_WITH_DSN else by  # the sender need not know more
    rows = await prepared.fetch(f"cancelled by {who}", limit, *condition.parameters)
    changed = {row["id"] for row in rows if row["state"] is None}
    rows = [row for row in rows if row["state"] is not None]
    touched = tuple(Touched(*row[:5]) for row in rows if row["id"] in changed)
    rest = [row for row in rows if row["id"] not in changed]
    attempting = sum(row["state"] == "attempting" for row in rest)
    account_held = sum(row["account_held"] for row in rest) if action is Action.RELEASE else 0
    unchanged = len(rest) - attempting - account_held
    return Outcome(len(touched), attempting, unchanged, account_held, len(rows) >= limit, touched)


async def hold_account(connection: Any, account: int, reason: str) -> bool:
    """Inside the caller's transaction: from its commit on no mail of the account is claimed; False: it was so before.

    Its recipients become 'held' a thousand at a time, the first of them now, the others by sweep_held().
    """
    status: str = await connection.execute(_HOLD_ACCOUNT, account, reason)
    await sweep_held(connection)
    return status.endswith(" 1")


async def lift_account_hold(connection: Any, account: int) -> bool:
    """Inside the caller's transaction; what waits is released by apply(RELEASE). False: nothing was held."""
    status: str = await connection.execute(_HOLD_ACCOUNT, account, None)
    return status.endswith(" 1")


async def sweep_held(connection: Any, limit: int = _SWEEP) -> int:
    """Recipients of held accounts that came back from an attempt, or in at the moment of the hold, become 'held'."""
    status: str = await connection.execute(_SWEEP_HELD, limit)
    return int(status.rpartition(" ")[2])
