"""Which tables a backup holds, their columns, keys and order, read from Postgres' own catalog.

A table that a later migration adds is in the next backup by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

from mailraven.db import Connection

# Of the moment (leases, counters, sessions), derived (decoded text for searches), or a log kept for a month.
LEFT_OUT = frozenset(
    {"schema_migration", "lease", "limit_counter", "web_session", "body_text", "trace_event", "backup_run"}
)

_COLUMNS = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
   AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 GROUP BY c.relname
"""
_KEYS = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY k.nth) AS columns
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, nth)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
 WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace
 GROUP BY c.relname
"""
_REFERENCES = """
SELECT c.relname AS name, f.relname AS target
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
 WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.oid <> f.oid
"""


@dataclass(frozen=True, slots=True)
class TableShape:
    """`key`: what the rows are ordered by, first in `columns` too, so that each chunk says where it begins."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


async def shapes(connection: Connection) -> list[TableShape]:
    """Referenced tables before those that refer to them."""
    keys = {row["name"]: row["columns"] for row in await connection.fetch(_KEYS)}
    order: TopologicalSorter[str] = TopologicalSorter()
    found = {}
    for row in await connection.fetch(_COLUMNS):
        if row["name"] in LEFT_OUT:
            continue
        key = keys.get(row["name"], [])
        columns = [*key, *(column for column in row["columns"] if column not in key)]
        found[row["name"]] = TableShape(row["name"], tuple(columns), tuple(key))
        order.add(row["name"])
    for row in await connection.fetch(_REFERENCES):
        if row["name"] in found and row["target"] in found:
            order.add(row["name"], row["target"])
    return [found[name] for name in order.static_order()]


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'
