"""Reading the audit log, newest first, and letting go of what is over 400 days old."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailraven.db import Connection

_LIST = """
SELECT a.id, at, actor, ip, request_id, action, target, domain_id, d.name AS domain, outcome, before, after
  FROM audit a LEFT JOIN domain d ON d.id = a.domain_id
 WHERE ($1::bigint IS NULL OR a.id < $1)
   AND ($2::bigint[] IS NULL OR domain_id = ANY ($2))
   AND ($3::text IS NULL OR actor = $3)
   AND ($4::text IS NULL OR action = $4 OR starts_with(action, $4 || '.'))
   AND ($5::text IS NULL OR target = $5)
   AND ($6::text IS NULL OR outcome = $6)
   AND ($7::timestamptz IS NULL OR at >= $7)
   AND ($8::timestamptz IS NULL OR at < $8)
 ORDER BY a.id DESC LIMIT $9
"""
_EXPIRE = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < now() - interval '400 days' LIMIT $1)"


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; None: all. `domain_ids` limits it to what admins of these domains may see."""

    domain_ids: Collection[int] | None = None
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the log."""

    id: int
    at: datetime
    actor: str
    ip: str
    request_id: str
    action: str
    target: str
    domain_id: int | None
    domain: str | None
    """Its name, if it is still there."""
    outcome: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def list_entries(
    connection: Connection, wanted: Filter, *, before_id: int | None = None, limit: int = 100
) -> list[Recorded]:
    """Newest first; `before_id` is the last id of the page before."""
    rows = await connection.fetch(
        _LIST,
        before_id,
        None if wanted.domain_ids is None else list(wanted.domain_ids),
        wanted.actor,
        wanted.action,
        wanted.target,
        wanted.outcome,
        wanted.since,
        wanted.until,
        limit,
    )
    return [_recorded(row) for row in rows]


async def expire(connection: Connection, *, limit: int = 10_000) -> int:
    """Delete rows over 400 days old: the only ones that the table lets go. Returns how many."""
    status: str = await connection.execute(_EXPIRE, limit)
    return int(status.rpartition(" ")[2])


def _recorded(row: Any) -> Recorded:
    values = dict(row)
    for name in ("before", "after"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Recorded(**values)
