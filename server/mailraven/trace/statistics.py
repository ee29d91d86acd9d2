"""Figures for the dashboard: a few bounded counts, and the traffic of the last hours from the trace."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from mailraven.trace.search import domain_names
from mailraven_api.stats import QueueStats, Stats, StatsHour, StatsSeries, Traffic

_STATEMENT_SECONDS = 5

# $1: ids of domains; NULL: all of them
_TOTALS = """
SELECT (SELECT count(*) FROM domain WHERE $1::bigint[] IS NULL OR id = ANY($1)) AS domains,
       (SELECT count(*) FROM account WHERE $1 IS NULL OR domain_id = ANY($1)) AS accounts,
       coalesce(sum(m.messages), 0)::bigint AS messages, coalesce(sum(m.bytes), 0)::bigint AS bytes
  FROM mailbox AS m
 WHERE $1 IS NULL OR m.account_id IN (SELECT id FROM account WHERE domain_id = ANY($1))
"""
# Only what waits, from the partial indexes; finished recipients may be many.
_QUEUE = """
WITH waiting AS (
    SELECT account_id, state, due_at FROM queue_recipient WHERE state IN ('queued', 'deferred')
    UNION ALL SELECT account_id, state, NULL FROM queue_recipient WHERE state = 'attempting'
    UNION ALL SELECT account_id, state, NULL FROM queue_recipient WHERE state = 'held'
)
SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
       count(*) FILTER (WHERE state = 'attempting') AS attempting,
       count(*) FILTER (WHERE state = 'deferred') AS deferred,
       count(*) FILTER (WHERE state = 'held') AS held,
       greatest(0, coalesce(extract(epoch FROM now() - min(due_at)), 0))::float8 AS oldest_due_seconds
  FROM waiting
 WHERE $1::bigint[] IS NULL OR account_id IN (SELECT id FROM account WHERE domain_id = ANY($1))
"""
_BANS = "SELECT count(*) FROM ban WHERE until IS NULL OR until > now()"
# $2: names of the domains; an index by block ranges of `at` keeps it to the rows of that time
_TRAFFIC = """
SELECT {bucket} AS bucket,
       count(*) FILTER (WHERE kind = 'delivered') AS received,
       count(*) FILTER (WHERE kind = 'sent') AS sent,
       count(*) FILTER (WHERE kind = 'refused') AS refused,
       count(*) FILTER (WHERE kind = 'deferred') AS deferred,
       count(*) FILTER (WHERE kind IN ('failed', 'expired')) AS failed,
       count(*) FILTER (WHERE kind = 'login_failed') AS auth_failures
  FROM trace_event
 WHERE at >= $1 AND ($2::text[] IS NULL
       OR split_part(sender, '@', -1) = ANY($2) OR split_part(recipient, '@', -1) = ANY($2))
 GROUP BY 1
"""
_LATELY = _TRAFFIC.format(bucket="at >= now() - interval '1 hour'")
_BY_HOUR = _TRAFFIC.format(bucket="date_trunc('hour', at, 'UTC')")
_NAMES = tuple(Traffic.model_fields)


async def current(connection: Any, domain_ids: Collection[int] | None) -> Stats:
    """Inside a transaction of the caller. `domain_ids`: of what is counted; None: everything."""
    await _bound(connection)
    ids = None if domain_ids is None else list(domain_ids)
    now = datetime.now(UTC)
    totals = await connection.fetchrow(_TOTALS, ids)
    queue = await connection.fetchrow(_QUEUE, ids)
    names = None if domain_ids is None else await domain_names(connection, domain_ids)
    rows = await connection.fetch(_LATELY, now - timedelta(days=1), names)
    day = {name: sum(row[name] for row in rows) for name in _NAMES}
    hour = {name: sum(row[name] for row in rows if row["bucket"]) for name in _NAMES}
    return Stats(
        at=now,
        **dict(totals),
        queue=QueueStats(**dict(queue)),
        last_hour=Traffic(**hour),
        last_day=Traffic(**day),
        active_bans=await connection.fetchval(_BANS) if domain_ids is None else None,
    )


async def by_hour(connection: Any, hours: int, domain_ids: Collection[int] | None) -> StatsSeries:
    """Inside a transaction of the caller; `hours` of them, the present one last, those without mail too."""
    await _bound(connection)
    names = None if domain_ids is None else await domain_names(connection, domain_ids)
    last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=hours - 1)
    found = {row["bucket"]: row for row in await connection.fetch(_BY_HOUR, first, names)}
    series = []
    for offset in range(hours):
        hour = first + timedelta(hours=offset)
        counts = {name: found[hour][name] if hour in found else 0 for name in _NAMES}
        series.append(StatsHour(hour=hour, **counts))
    return StatsSeries(hours=tuple(series))


async def _bound(connection: Any) -> None:
    """Figures are not worth more of the database's time than this."""
    await connection.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
