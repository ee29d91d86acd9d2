"""A mailbox page by page, newest or oldest first, straight from the rows: for who has no view open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailraven.db import Database
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore.errors import NoSuchMailbox
from mailraven.mailstore.model import BodyRef, FlagRow, Items, Listed

_MESSAGE = """CROSS JOIN LATERAL (
    SELECT size, internal_date, envelope, bodystructure, body_id, body_account_id, prefix, saved_at, message_id
    FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid = f.uid OFFSET 0) AS m"""
_PAGE = """
SELECT f.uid, f.flags, f.modseq, m.* FROM (
    SELECT uid, flags, modseq FROM message_flags
    WHERE account_id = $1 AND mailbox_id = $2 AND uid {compare} $3 AND flags & $4 = $5
    ORDER BY uid {order} LIMIT $6) AS f {message} ORDER BY f.uid {order}
"""
_NEWEST = _PAGE.format(compare="<", order="DESC", message=_MESSAGE)
_OLDEST = _PAGE.format(compare=">", order="ASC", message=_MESSAGE)
_CHOSEN = f"""
SELECT f.uid, f.flags, f.modseq, m.* FROM (
    SELECT uid, flags, modseq FROM message_flags
    WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY($3::bigint[])) AS f {_MESSAGE} ORDER BY f.uid
"""  # noqa: S608 - constants
_FLAGS = """
SELECT uid, flags, modseq FROM message_flags
WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY($3::bigint[]) ORDER BY uid
"""
_BEYOND = 1 << 33


@dataclass(frozen=True, slots=True)
class Wanted:
    """Flags that a message of the page has, and flags that it has not; names as in SEARCH."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Messages, with what their mailbox calls its keywords."""

    uidvalidity: int
    modseq: int
    keywords: tuple[str, ...]
    messages: list[Listed]


@dataclass(frozen=True, slots=True)
class FlagListing:
    """The flags of some messages, likewise."""

    uidvalidity: int
    modseq: int
    keywords: tuple[str, ...]
    rows: list[FlagRow]


async def page(
    database: Database, account: int, mailbox: int, wanted: Wanted, *, after: int | None, newest: bool, limit: int
) -> Listing:
    """Messages beyond the UID `after` in this order. NoSuchMailbox."""
    async with database.acquire() as connection:
        box = await _mailbox(connection, account, mailbox)
        masks = _masks(box["keywords"], wanted)
        rows: Sequence[Any] = ()
        if masks is not None:
            looked, present = masks
            start = after if after is not None else (_BEYOND if newest else 0)
            statement = _NEWEST if newest else _OLDEST
            rows = await connection.fetch(statement, account, mailbox, start, looked, present, limit)
    return Listing(box["uidvalidity"], box["modseq"], tuple(box["keywords"]), [_listed(row) for row in rows])


async def chosen(database: Database, account: int, mailbox: int, uids: Sequence[int]) -> Listing:
    """These messages in the order of their UIDs; those that are gone are left out. NoSuchMailbox."""
    async with database.acquire() as connection:
        rows = await connection.fetch(_CHOSEN, account, mailbox, list(uids))
        box = await _mailbox(connection, account, mailbox)  # after them: keywords only grow
    return Listing(box["uidvalidity"], box["modseq"], tuple(box["keywords"]), [_listed(row) for row in rows])


async def flags(database: Database, account: int, mailbox: int, uids: Sequence[int]) -> FlagListing:
    """The flags of these messages; those that are gone are left out. NoSuchMailbox."""
    async with database.acquire() as connection:
        rows = await connection.fetch(_FLAGS, account, mailbox, list(uids))
        box = await _mailbox(connection, account, mailbox)
    return FlagListing(box["uidvalidity"], box["modseq"], tuple(box["keywords"]), [FlagRow(*row) for row in rows])


async def _mailbox(connection: Any, account: int, mailbox: int) -> Any:
    row = await connection.fetchrow(
        "SELECT uidvalidity, modseq, keywords FROM mailbox WHERE account_id = $1 AND id = $2", account, mailbox
    )
    if row is None:
        raise NoSuchMailbox("no such mailbox")
    return row


def _masks(keywords: Sequence[str], wanted: Wanted) -> tuple[int, int] | None:
    """(bits to look at, how they should be); None: a keyword is wanted that no message can have."""
    present, unknown = _mask(keywords, wanted.present)
    absent, _ = _mask(keywords, wanted.absent)
    return None if unknown or present & absent else (present | absent, present)


def _mask(keywords: Sequence[str], names: Sequence[str]) -> tuple[int, list[str]]:
    system = 0
    for name in names:
        system |= flag_bits.SYSTEM_FLAGS.get(name, 0)
    mask, unknown = flag_bits.mask_of(keywords, [name for name in names if name not in flag_bits.SYSTEM_FLAGS])
    return system | mask, unknown


def _listed(row: Any) -> Listed:
    body = BodyRef(row["body_account_id"], row["body_id"], row["prefix"], row["size"])
    items = Items(
        row["uid"],
        row["size"],
        row["internal_date"],
        row["envelope"],
        row["bodystructure"],
        row["body_id"],
        body,
        row["saved_at"],
    )
    return Listed(items, row["message_id"], row["flags"], row["modseq"])
