"""Statements on mailbox rows that several operations share: locking, counters, the change log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailraven.db import Database
from mailraven.imap.sequence_set import compact
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore import uidset
from mailraven.mailstore.errors import NoSuchMailbox, TooManyKeywords


@dataclass(frozen=True, slots=True)
class LockedMailbox:
    """A mailbox row under FOR UPDATE: whoever holds it gives out its UIDs and MODSEQ."""

    account: int
    id: int
    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    keywords: list[str]


_COLUMNS = "account_id, id, name, uidvalidity, uidnext, modseq, keywords"


async def vanished(database: Database, account: int, mailbox: int, since: int) -> list[int]:
    """UIDs that the change log calls expunged after a MODSEQ, ascending."""
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT expunged FROM mailbox_change WHERE account_id = $1 AND mailbox_id = $2 AND modseq > $3"
            " AND expunged <> ''",
            account,
            mailbox,
            since,
        )
    return sorted({uid for row in rows for uid in uidset.decode(row["expunged"])})


async def lock(connection: Any, account: int, mailbox: int) -> LockedMailbox:
    """Lock one mailbox by id."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608 - names written in the program
        account,
        mailbox,
    )
    if row is None:
        raise NoSuchMailbox("the mailbox is gone")
    return LockedMailbox(*row)


async def lock_many(connection: Any, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], LockedMailbox]:
    """Lock several in id order, as every transaction does: no deadlocks."""
    rows = await connection.fetch(
        "SELECT m.account_id, m.id, m.name, m.uidvalidity, m.uidnext, m.modseq, m.keywords"
        " FROM mailbox m JOIN unnest($1::bigint[], $2::bigint[]) AS k(account_id, id)"
        " ON m.account_id = k.account_id AND m.id = k.id ORDER BY m.account_id, m.id FOR UPDATE OF m",
        [account for account, _ in keys],
        [mailbox for _, mailbox in keys],
    )
    found = {(row["account_id"], row["id"]): LockedMailbox(*row) for row in rows}
    if len(found) < len(set(keys)):
        raise NoSuchMailbox("the mailbox is gone")
    return found


async def add_keywords(connection: Any, box: LockedMailbox, names: Sequence[str]) -> int:
    """The mask of these keywords in a locked mailbox, which learns those it does not have yet.

    Raises:
        TooManyKeywords: there is no bit left for them.
    """
    mask, missing = flag_bits.mask_of(box.keywords, names)
    if missing:
        if len(box.keywords) + len(missing) > flag_bits.MAX_KEYWORDS:
            raise TooManyKeywords(f"a mailbox has {flag_bits.MAX_KEYWORDS} keywords at most")
        box.keywords.extend(missing)
        await connection.execute(
            "UPDATE mailbox SET keywords = $3 WHERE account_id = $1 AND id = $2",
            box.account,
            box.id,
            box.keywords,
        )
        mask, _ = flag_bits.mask_of(box.keywords, names)
    return mask


async def log_change(
    connection: Any,
    box: LockedMailbox,
    modseq: int,
    *,
    changed: Sequence[int] = (),
    expunged: Sequence[int] = (),
) -> None:
    """Write down what a transaction did, for the views of other processes and for QRESYNC (RFC 7162 §3.2.5)."""
    await connection.execute(
        "INSERT INTO mailbox_change (account_id, mailbox_id, modseq, changed, expunged) VALUES ($1, $2, $3, $4, $5)",
        box.account,
        box.id,
        modseq,
        compact(changed),
        compact(expunged),
    )
