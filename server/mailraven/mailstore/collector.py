"""Deletes bodies that nothing refers to any more: row first, blob after, both after a grace period.

The grace period is longer than any transaction or backup, so that a body whose last message was expunged while it was
being copied or backed up is still there for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from mailraven.blobs import BlobStore, BlobUnavailable
from mailraven.db import Database

_log = structlog.get_logger(component="mailstore")
GRACE = timedelta(hours=24)
_CHUNK = 500

# A released body that some message or queue entry still has just leaves the list. Rows of a segment go, their blob
# stays for the packer that rewrites half dead segments.
_COLLECT = """
WITH due AS (
    DELETE FROM body_release WHERE ctid IN (
        SELECT ctid FROM body_release WHERE released_at < now() - $1::interval ORDER BY released_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) RETURNING account_id, body_id
), dead AS (
    DELETE FROM body b USING (SELECT DISTINCT account_id, body_id FROM due) d
    WHERE b.account_id = d.account_id AND b.id = d.body_id
      AND NOT EXISTS (SELECT 1 FROM message m WHERE m.body_account_id = b.account_id AND m.body_id = b.id)
      AND NOT EXISTS (SELECT 1 FROM queue_message q WHERE q.body_account_id = b.account_id AND q.body_id = b.id)
    RETURNING b.object_key, b.segment_offset, b.size
)
SELECT (SELECT count(*) FROM due) AS seen, (SELECT count(*) FROM dead) AS bodies,
    (SELECT coalesce(sum(size), 0) FROM dead)::bigint AS octets,
    (SELECT array_agg(object_key) FROM dead WHERE object_key IS NOT NULL AND segment_offset IS NULL) AS keys
"""


# A backup copies bodies after the moment whose rows it holds (backup/create.py).
_BACKUP_RUNS = "SELECT EXISTS (SELECT FROM lease WHERE name LIKE 'backup:%' AND leased_until > now())"


@dataclass(frozen=True, slots=True)
class Collected:
    """What one run removed."""

    bodies: int = 0
    octets: int = 0
    blobs: int = 0


async def collect(database: Database, blobs: BlobStore, grace: timedelta = GRACE) -> Collected:
    """Remove all released bodies that are past their grace; safe to run from several processes.

    A blob that cannot be deleted now is logged by key: an orphan costs room, never mail.
    """
    bodies = octets = removed = 0
    while True:
        async with database.acquire() as connection:
            if await connection.fetchval(_BACKUP_RUNS):
                return Collected(bodies, octets, removed)
            row = await connection.fetchrow(_COLLECT, grace, _CHUNK)
        bodies += row["bodies"]
        octets += row["octets"]
        for key in row["keys"] or ():
            try:
                await blobs.delete(key)
                removed += 1
            except BlobUnavailable as error:
                _log.warning("blob left behind", key=key, error=str(error))
        if row["seen"] < _CHUNK:
            return Collected(bodies, octets, removed)
