"""Answers that are remembered by Idempotency-Key, so that a request which is sent again sends nothing again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mailraven.db import Connection

KEEP_HOURS = 24
_LOCK_CLASS = 0x53454E44

# One request with a key at a time: who finds it locked would wait with a connection in his hands.
_LOCK = "SELECT pg_try_advisory_xact_lock($1::integer, hashtext($2::text))"
_FIND = f"""
SELECT fingerprint, answer FROM send_request
WHERE account_id = $1 AND key = $2 AND created_at > now() - interval '{KEEP_HOURS} hours'
"""  # noqa: S608 - a constant
_FORGET = f"DELETE FROM send_request WHERE account_id = $1 AND created_at <= now() - interval '{KEEP_HOURS} hours'"  # noqa: S608 - names written in the program
_KEEP = "INSERT INTO send_request (account_id, key, fingerprint, answer) VALUES ($1, $2, $3, $4)"


class InProgress(Exception):
    """The same key is in work at this moment."""


class OtherRequest(Exception):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Key:
    """What names a request: the key, whose it is, and what the request was."""

    account: int
    text: str
    fingerprint: bytes


async def remembered(connection: Connection, key: Key) -> dict[str, Any] | None:
    """In the transaction that will keep() the answer. None: the request is new. InProgress, OtherRequest."""
    if not await connection.fetchval(_LOCK, _LOCK_CLASS, f"{key.account} {key.text}"):
        raise InProgress
    await connection.execute(_FORGET, key.account)
    row = await connection.fetchrow(_FIND, key.account, key.text)
    if row is None:
        return None
    if row["fingerprint"] != key.fingerprint:
        raise OtherRequest
    answer: dict[str, Any] = json.loads(row["answer"])
    return answer


async def keep(connection: Connection, key: Key, answer: dict[str, Any]) -> None:
    """What is to be answered the next time."""
    await connection.execute(_KEEP, key.account, key.text, key.fingerprint, json.dumps(answer))
