"""The queue as a whole: how much waits, and clearing away what is long finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WAITING_STATES = ("queued", "attempting", "deferred", "held")


@dataclass(frozen=True, slots=True)
class Depth:
    """Recipients by state, and by how many seconds the oldest due one is late."""

    counts: dict[str, int]
    late_seconds: float


# Only waiting recipients are counted, from the partial indexes; finished ones may be many.
_COUNT = """
SELECT (SELECT count(*) FROM queue_recipient WHERE state IN ('queued', 'deferred') AND state = 'queued') AS queued,
       (SELECT count(*) FROM queue_recipient WHERE state IN ('queued', 'deferred') AND state = 'deferred') AS deferred,
       (SELECT count(*) FROM queue_recipient WHERE state = 'attempting') AS attempting,
       (SELECT count(*) FROM queue_recipient WHERE state = 'held') AS held,
       (SELECT extract(epoch FROM clock_timestamp() - min(due_at))::float8 FROM queue_recipient
         WHERE state IN ('queued', 'deferred')) AS late
"""

_PURGE = """
WITH gone AS (DELETE FROM queue_message AS m
 USING (SELECT account_id, id FROM queue_message AS old
         WHERE old.created_at < now() - make_interval(secs => $1)
           AND NOT EXISTS (SELECT FROM queue_recipient AS r
                            WHERE r.account_id = old.account_id AND r.message_id = old.id
                              AND (r.state IN ('queued', 'attempting', 'deferred', 'held')
                                   OR r.updated_at >= now() - make_interval(secs => $1)))
         LIMIT $2 FOR UPDATE SKIP LOCKED) AS done
 WHERE m.account_id = done.account_id AND m.id = done.id RETURNING m.body_account_id, m.body_id)
INSERT INTO body_release (account_id, body_id) SELECT body_account_id, body_id FROM gone
"""


async def depth(connection: Any) -> Depth:
    """For the metrics."""
    row = await connection.fetchrow(_COUNT)
    return Depth({state: row[state] for state in WAITING_STATES}, max(0.0, row["late"] or 0.0))


async def purge(connection: Any, keep_seconds: float, limit: int = 1000) -> int:
    """Delete messages all of whose recipients ended longer ago than `keep_seconds`; returns how many.

    Their bodies are released to the mailstore's collector, which sees whether anything else points to them.
    """
    status: str = await connection.execute(_PURGE, float(keep_seconds), limit)
    return int(status.rpartition(" ")[2])
