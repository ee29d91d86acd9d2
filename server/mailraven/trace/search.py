"""Finding what happened to a message: by Message-ID, address, trace id or time, a page of messages at a time."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mailraven.trace.event import Kind, TraceEvent, bare_address, bare_message_id

_MATCHES = 20_000  # events looked at for one page
_EVENTS = 10_000  # shown on one page


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events may be seen: all; those from or to an address in the domains; those of the account."""

    everything: bool = False
    domain_ids: Collection[int] = ()
    account: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """Everything that is given has to fit; `since` <= at < `until`."""

    since: datetime
    until: datetime
    message_id: str = ""
    address: str = ""
    trace_id: str = ""

    @property
    def has_key(self) -> bool:
        """Else only the time bounds how much has to be read."""
        return bool(self.message_id or self.address or self.trace_id)


@dataclass(frozen=True, slots=True)
class Trace:
    """All visible events with one trace id, in the order of time; `last` is that of the newest that fits the query."""

    trace_id: str
    last: datetime
    events: list[TraceEvent] = field(default_factory=list)


# A message that has a later event that fits was on a page before.
_FIND = """
WITH matching AS MATERIALIZED ({branches}), found AS (
    SELECT trace_id, max(at) AS last FROM matching GROUP BY trace_id
)
SELECT f.trace_id, f.last, (SELECT count(*) FROM matching) AS looked_at
  FROM found AS f
 WHERE $7::timestamptz IS NULL OR (f.last, f.trace_id) < ($7, $8::text) AND NOT EXISTS (
       SELECT FROM trace_event AS e WHERE e.trace_id = f.trace_id AND (e.at, e.trace_id) >= ($7, $8) AND {filter})
 ORDER BY f.last DESC, f.trace_id DESC LIMIT $9
"""
_BRANCH = """(
SELECT e.trace_id, e.at FROM trace_event AS e
 WHERE {filter} AND ($7::timestamptz IS NULL OR e.at <= $7) ORDER BY e.at DESC LIMIT $10)
"""
# $1 everything, $2 account, $3 domains, $4 since, $5 until, $6 the keys
_VISIBLE = """($1::boolean OR (e.account_id = $2::bigint AND $2 <> 0)
  OR split_part(e.sender, '@', -1) = ANY($3::text[]) OR split_part(e.recipient, '@', -1) = ANY($3))"""
_DOMAINS = """
SELECT array_agg(name) FROM (SELECT name FROM domain WHERE id = ANY($1::bigint[])
 UNION ALL SELECT name FROM domain_alias WHERE domain_id = ANY($1)) AS names
"""
_EVENTS_OF = (
    """
SELECT e.kind, e.trace_id, e.account_id, e.message_id, e.sender, e.recipient, e.peer, e.detail, e.at
  FROM trace_event AS e WHERE e.trace_id = ANY($4::text[]) AND """
    + _VISIBLE
    + " ORDER BY e.at, e.id LIMIT $5"
)


async def find(
    connection: Any, query: Query, scope: Scope, *, limit: int, after: tuple[datetime, str] | None = None
) -> tuple[list[Trace], tuple[datetime, str] | None]:
    """The newest first, and where the next page begins. `after` is that of the page before."""
    visible = (scope.everything, scope.account, await domain_names(connection, scope.domain_ids))
    sql, keys = _statement(query, scope)
    at, trace_id = after or (None, "")
    rows = await connection.fetch(
        sql, *visible, query.since, query.until, keys, at, trace_id, limit + 1, _MATCHES + 20 * limit
    )
    shown = rows[:limit]
    if not shown:
        return [], None
    events: dict[str, list[TraceEvent]] = defaultdict(list)
    for row in await connection.fetch(_EVENTS_OF, *visible, [row["trace_id"] for row in shown], _EVENTS):
        events[row["trace_id"]].append(TraceEvent(Kind(row["kind"]), *row[1:]))
    more = len(rows) > limit or rows[0]["looked_at"] >= _MATCHES + 20 * limit
    last = shown[-1]
    following = (last["last"], last["trace_id"]) if more else None
    return [Trace(row["trace_id"], row["last"], events[row["trace_id"]]) for row in shown], following


async def domain_names(connection: Any, domain_ids: Collection[int]) -> list[str]:
    """All names of these domains."""
    if not domain_ids:
        return []
    return await connection.fetchval(_DOMAINS, list(domain_ids)) or []


async def purge(connection: Any, keep_seconds: float, limit: int = 5000) -> int:
    """Deletes some of the events that are older; how many."""
    status: str = await connection.execute(
        "DELETE FROM trace_event WHERE ctid = ANY(ARRAY("
        " SELECT ctid FROM trace_event WHERE at < now() - make_interval(secs => $1) LIMIT $2))",
        float(keep_seconds),
        limit,
    )
    return int(status.rpartition(" ")[2])


def _statement(query: Query, scope: Scope) -> tuple[str, list[str]]:
    """Each branch is read from an index of its own, newest first."""
    keys: list[str] = []
    conditions = [_VISIBLE, "e.at >= $4", "e.at < $5", "$6::text[] IS NOT NULL"]
    for column, text in (("trace_id", query.trace_id), ("message_id", bare_message_id(query.message_id))):
        if text:
            keys.append(text)
            conditions.append(f"e.{column} = ($6)[{len(keys)}] AND e.{column} <> ''")
    either: list[str] = [""]
    if query.address:
        keys.append(bare_address(query.address))
        either = [f" AND e.{column} = ($6)[{len(keys)}] AND e.{column} <> ''" for column in ("sender", "recipient")]
    elif not keys and scope.account and not scope.domain_ids and not scope.everything:
        either = [" AND e.account_id = $2"]
    condition = " AND ".join(conditions)
    branches = " UNION ALL ".join(_BRANCH.format(filter=condition + one) for one in either)
    whole = condition + (f" AND ({' OR '.join(one[5:] for one in either)})" if either != [""] else "")
    return _FIND.format(branches=branches, filter=whole), keys
