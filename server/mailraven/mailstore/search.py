"""SEARCH: fill the text of bodies that were never searched, then ask Postgres once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailraven.db import Database
from mailraven.mailstore import program as p
from mailraven.mailstore.bodies import BodyStore
from mailraven.mailstore.model import BodyRef
from mailraven.mailstore.search_sql import Condition
from mailraven.message import decode_words, fold, header_fields, search_text, split_header

# OFFSET 0 makes each join a look-up by key for each message. Left free, Postgres reads one table once for every row of
# the other (40 s for 100,000 messages) when a mailbox has just been filled and is not in its statistics yet.
_SELECT = """
SELECT m.uid FROM message m {joins} WHERE m.account_id = $1 AND m.mailbox_id = $2 AND {condition} ORDER BY m.uid
"""
_JOIN_FLAGS = """CROSS JOIN LATERAL (SELECT flags, modseq FROM message_flags
    WHERE account_id = m.account_id AND mailbox_id = m.mailbox_id AND uid = m.uid OFFSET 0) AS f"""
_JOIN_TEXT = """CROSS JOIN LATERAL (SELECT header, text FROM body_text
    WHERE account_id = m.body_account_id AND body_id = m.body_id OFFSET 0) AS t"""

_MISSING = """
WITH missing AS MATERIALIZED (
    SELECT DISTINCT m.body_account_id, m.body_id FROM message m
    LEFT JOIN LATERAL (SELECT true AS there FROM body_text
        WHERE account_id = m.body_account_id AND body_id = m.body_id OFFSET 0) AS t ON true
    WHERE m.account_id = $1 AND m.mailbox_id = $2 AND t.there IS NULL
)
SELECT m.body_account_id, m.body_id, b.size FROM missing m
CROSS JOIN LATERAL (SELECT size FROM body WHERE account_id = m.body_account_id AND id = m.body_id OFFSET 0) AS b
ORDER BY 1, 2
"""

# In the order of the key: two searches that fill the same bodies must not wait for each other in a circle.
_FILL = """
INSERT INTO body_text (account_id, body_id, header, text)
SELECT x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS x(account_id, body_id, header, text)
WHERE EXISTS (SELECT 1 FROM body b WHERE b.account_id = x.account_id AND b.id = x.body_id)
ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""


async def search(
    database: Database, bodies: BodyStore, account: int, mailbox: int, program: p.Key, sequence: Sequence[int]
) -> list[int]:
    """UIDs that match, ascending. `sequence`: the session's UIDs in order of their sequence numbers."""
    async with database.acquire() as connection:
        keywords = await connection.fetchval(
            "SELECT keywords FROM mailbox WHERE account_id = $1 AND id = $2", account, mailbox
        )
    condition = Condition(sequence, keywords or (), first_parameter=3)
    sql = condition.compile(program)
    if condition.needs_text:
        await fill_texts(database, bodies, account, mailbox)
    joins = " ".join([_JOIN_FLAGS] * condition.needs_flags + [_JOIN_TEXT] * condition.needs_text)
    statement = _SELECT.format(joins=joins, condition=sql)
    async with database.acquire() as connection:
        # Prepared anew each time: a plan for any keys, as Postgres makes after some runs of a statement, is of no use.
        prepared = await connection.prepare(statement)
        rows = await prepared.fetch(account, mailbox, *condition.parameters)
    return [row[0] for row in rows]


async def fill_texts(database: Database, bodies: BodyStore, account: int, mailbox: int) -> int:
    """Decode what has no text yet; returns how many. Done off the event loop, a few messages at a time."""
    async with database.acquire() as connection:
        missing = [BodyRef(row[0], row[1], b"", row[2]) for row in await connection.fetch(_MISSING, account, mailbox)]
    done = 0
    async for chunk in bodies.read_many(missing, budget=1 << 20):
        refs = missing[done : done + len(chunk)]
        texts = await asyncio.to_thread(_texts, chunk)
        async with database.acquire() as connection:
            await connection.execute(
                _FILL,
                [ref.account for ref in refs],
                [ref.id for ref in refs],
                [header for header, _ in texts],
                [text for _, text in texts],
            )
        done += len(chunk)
    return done


def _texts(raws: Sequence[bytes]) -> list[tuple[str, str]]:
    return [(header_lines(raw), search_text(raw)[1]) for raw in raws]


def header_lines(raw: bytes) -> str:
    """Header fields, decoded and folded, one a line as `name:value`."""
    header, _ = split_header(raw)
    lines = []
    for name, value in header_fields(header):
        text = fold(decode_words(value)).replace("\r", "").replace("\n", "")
        lines.append(f"{fold(name.decode('latin-1')).strip()}:{text}")
    return "\n".join(lines)
