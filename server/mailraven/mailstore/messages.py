"""Reading message rows in chunks; never a cursor, so that a slow client holds no connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from mailraven.db import Database
from mailraven.mailstore import uidset
from mailraven.mailstore.model import BodyRef, Items

CHUNK = 500
_FIRST_CHUNK = 125
_OCTETS = 2 << 20  # of wire forms at a time: a hostile message has a structure of hundreds of KiB

_SELECT = """
SELECT uid, size, internal_date, envelope, bodystructure, body_id, body_account_id, prefix, saved_at FROM message
WHERE account_id = $1 AND mailbox_id = $2 AND {} ORDER BY uid
"""
_RANGE = _SELECT.format("uid BETWEEN $3 AND $4")
_LIST = _SELECT.format("uid = ANY($3::bigint[])")


async def fetch(database: Database, account: int, mailbox: int, uids: Sequence[int]) -> AsyncIterator[list[Items]]:
    """Items of ascending UIDs, in lists of 500 at most; those that are gone are left out."""
    first, count = 0, _FIRST_CHUNK
    while first < len(uids):
        chunk = uids[first : first + count]
        first += count
        async with database.acquire() as connection:
            if uidset.is_dense(chunk):
                rows = await connection.fetch(_RANGE, account, mailbox, chunk[0], chunk[-1])
                if len(rows) > len(chunk) or chunk[-1] - chunk[0] + 1 != len(chunk):
                    wanted = set(chunk)
                    rows = [row for row in rows if row[0] in wanted]
            else:
                rows = await connection.fetch(_LIST, account, mailbox, list(chunk))
        octets = sum(len(row[3]) + len(row[4]) for row in rows)
        count = max(1, min(CHUNK, 2 * count, _OCTETS * len(rows) // max(octets, 1))) if rows else CHUNK
        yield [_items(row) for row in rows]


def _items(row: Any) -> Items:
    uid, size, internal_date, envelope, bodystructure, body_id, body_account, prefix, saved_at = row
    body = BodyRef(body_account, body_id, prefix, size)
    return Items(uid, size, internal_date, envelope, bodystructure, body_id, body, saved_at)
