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

_SELECT = """
SELECT m.uid FROM message m
JOIN message_flags f ON f.account_id = m.account_id AND f.mailbox_id = m.mailbox_id AND f.uid = m.uid
{join} WHERE m.account_id = $1 AND m.mailbox_id = $2 AND {condition} ORDER BY m.uid
"""
_JOIN_TEXT = "JOIN body_text t ON t.account_id = m.body_account_id AND t.body_id = m.body_id"

_MISSING = """
SELECT DISTINCT m.body_account_id, m.body_id, b.size FROM message m
JOIN body b ON b.account_id = m.body_account_id AND b.id = m.body_id
WHERE m.account_id = $1 AND m.mailbox_id = $2 AND NOT EXISTS (
    SELECT 1 FROM body_text t WHERE t.account_id = m.body_account_id AND t.body_id = m.body_id)
"""

_FILL = """
INSERT INTO body_text (account_id, body_id, header, text)
SELECT x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS x(account_id, body_id, header, text)
WHERE EXISTS (SELECT 1 FROM body b WHERE b.account_id = x.account_id AND b.id = x.body_id)
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
    statement = _SELECT.format(join=_JOIN_TEXT if condition.needs_text else "", condition=sql)
    async with database.acquire() as connection:
        # A search is compiled for its literals: the plan of one client's keys is of no use to the next.
        rows = await connection.fetch(statement, account, mailbox, *condition.parameters)
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
