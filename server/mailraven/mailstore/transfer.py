"""COPY, MOVE and EXPUNGE as rows: one transaction each, all or nothing (RFC 9051 §6.4.3, §6.4.7, §6.4.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailraven.db import Database
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore import mailbox_rows
from mailraven.mailstore.errors import NoSuchMailbox, OverQuota
from mailraven.mailstore.mailbox_rows import LockedMailbox
from mailraven.mailstore.model import Copied

_PICK = """
SELECT f.uid, f.flags, m.size FROM message_flags f, LATERAL (
    SELECT size FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid = f.uid OFFSET 0) AS m
WHERE f.account_id = $1 AND f.mailbox_id = $2 AND f.uid BETWEEN $4 AND $5 AND f.uid = ANY($3::bigint[]) ORDER BY f.uid
"""

_COPY = """
WITH pair AS (SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[]) AS x(source, target, flags)),
new_message AS (
    INSERT INTO message (account_id, mailbox_id, uid, body_account_id, body_id, size, prefix, internal_date, sent_at,
                         sent_date, envelope, bodystructure, message_id, subject_text, from_text, to_text, cc_text,
                         bcc_text)
    SELECT $6, $7, p.target, m.body_account_id, m.body_id, m.size, m.prefix, m.internal_date, m.sent_at, m.sent_date,
           m.envelope, m.bodystructure, m.message_id, m.subject_text, m.from_text, m.to_text, m.cc_text, m.bcc_text
    FROM pair p, LATERAL (
        SELECT * FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid = p.source OFFSET 0) AS m
)
INSERT INTO message_flags (account_id, mailbox_id, uid, flags, modseq)
SELECT $6, $7, target, flags, $8 FROM pair
"""

_REMOVE = """
WITH gone AS (
    DELETE FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $4 AND $5
        AND uid = ANY($3::bigint[]) RETURNING uid, flags
), dropped AS (
    DELETE FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $4 AND $5
        AND uid = ANY($3::bigint[]) RETURNING uid, size, body_account_id, body_id
), released AS (
    INSERT INTO body_release (account_id, body_id) SELECT body_account_id, body_id FROM dropped
), box AS (
    UPDATE mailbox b SET modseq = b.modseq + 1, messages = b.messages - t.n, unseen = b.unseen - t.unseen,
        deleted = b.deleted - t.deleted, bytes = b.bytes - t.octets
    FROM (SELECT count(*) AS n, count(*) FILTER (WHERE flags & 1 = 0) AS unseen,
                 count(*) FILTER (WHERE flags & 8 <> 0) AS deleted,
                 (SELECT coalesce(sum(size), 0) FROM dropped) AS octets FROM gone) AS t
    WHERE account_id = $1 AND id = $2 RETURNING modseq
)
SELECT box.modseq, gone.uid FROM box, gone ORDER BY gone.uid
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A copy with the MODSEQ of the expunge in the source mailbox."""

    copied: Copied
    target_mailbox: int
    source_modseq: int


async def copy(
    database: Database, account: int, mailbox: int, uids: Sequence[int], target_account: int, target_name: str | int
) -> tuple[Copied, int]:
    """Copy; returns the pairs and the target's id. UIDs that are gone are left out."""
    async with database.transaction() as connection:
        source, target = await _lock_pair(connection, account, mailbox, target_account, target_name)
        await _check_quota(connection, source, target, uids)
        return await copy_rows(connection, source, target, uids), target.id


async def move(
    database: Database, account: int, mailbox: int, uids: Sequence[int], target_account: int, target_name: str | int
) -> Moved:
    """Copy and expunge in one transaction."""
    async with database.transaction() as connection:
        source, target = await _lock_pair(connection, account, mailbox, target_account, target_name)
        if source.account != target.account:
            await _check_quota(connection, source, target, uids)
        copied = await copy_rows(connection, source, target, uids)
        modseq = source.modseq
        if copied.source:
            modseq, _ = await remove_rows(connection, source, copied.source)
        return Moved(copied, target.id, modseq)


async def expunge(database: Database, account: int, mailbox: int, uids: Sequence[int] | None) -> tuple[int, list[int]]:
    """Remove the \\Deleted messages, of `uids` only where given. Returns MODSEQ and the UIDs removed."""
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        rows = await connection.fetch(
            "SELECT uid FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 AND flags & 8 <> 0 ORDER BY uid",
            account,
            mailbox,
        )
        chosen = None if uids is None else set(uids)
        doomed = [row["uid"] for row in rows if chosen is None or row["uid"] in chosen]
        if not doomed:
            return box.modseq, []
        return await remove_rows(connection, box, doomed)


async def remove(database: Database, account: int, mailbox: int, uids: Sequence[int]) -> tuple[int, list[int]]:
    """Remove these messages, \\Deleted or not. Returns MODSEQ and the UIDs removed."""
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        return await remove_rows(connection, box, uids) if uids else (box.modseq, [])


async def remove_oldest(database: Database, account: int, mailbox: int, limit: int) -> tuple[int, list[int]]:
    """Remove the first `limit` messages of a mailbox. Returns MODSEQ and the UIDs removed."""
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        rows = await connection.fetch(
            "SELECT uid FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid LIMIT $3",
            account,
            mailbox,
            limit,
        )
        return await remove_rows(connection, box, [row["uid"] for row in rows]) if rows else (box.modseq, [])


async def copy_rows(connection: Any, source: LockedMailbox, target: LockedMailbox, uids: Sequence[int]) -> Copied:
    """Copy between two locked mailboxes; the target's UIDs ascend in the order of the source's."""
    if not uids:
        return Copied(target.uidvalidity, [], [])
    picked = await connection.fetch(_PICK, source.account, source.id, list(uids), min(uids), max(uids))
    if not picked:
        return Copied(target.uidvalidity, [], [])
    translated = await _translate_flags(connection, source, target, [row["flags"] for row in picked])
    first = await connection.fetchval(
        "UPDATE mailbox SET uidnext = uidnext + $3, modseq = modseq + 1, messages = messages + $3,"
        " unseen = unseen + $4,"
        " deleted = deleted + $5, bytes = bytes + $6 WHERE account_id = $1 AND id = $2 RETURNING uidnext - $3",
        target.account,
        target.id,
        len(picked),
        sum(not flags & flag_bits.SEEN for flags in translated),
        sum(bool(flags & flag_bits.DELETED) for flags in translated),
        sum(row["size"] for row in picked),
    )
    modseq = await connection.fetchval(
        "SELECT modseq FROM mailbox WHERE account_id = $1 AND id = $2", target.account, target.id
    )
    sources = [row["uid"] for row in picked]
    targets = list(range(first, first + len(picked)))
    await connection.execute(
        _COPY, source.account, source.id, sources, targets, translated, target.account, target.id, modseq
    )
    return Copied(target.uidvalidity, sources, targets)


async def remove_rows(connection: Any, box: LockedMailbox, uids: Sequence[int]) -> tuple[int, list[int]]:
    """Delete message rows of a locked mailbox, leave a tombstone, release the bodies."""
    rows = await connection.fetch(_REMOVE, box.account, box.id, list(uids), min(uids), max(uids))
    if not rows:
        return box.modseq, []
    removed = [row["uid"] for row in rows]
    modseq: int = rows[0]["modseq"]
    await mailbox_rows.log_change(connection, box, modseq, expunged=removed)
    return modseq, removed


async def _lock_pair(
    connection: Any, account: int, mailbox: int, target_account: int, target_name: str | int
) -> tuple[LockedMailbox, LockedMailbox]:
    """The target by its name, or by its id."""
    target: int | None = (
        target_name
        if isinstance(target_name, int)
        else await connection.fetchval(
            "SELECT id FROM mailbox WHERE account_id = $1 AND name = $2", target_account, target_name
        )
    )
    if target is None:
        raise NoSuchMailbox("no such mailbox")
    boxes = await mailbox_rows.lock_many(connection, [(account, mailbox), (target_account, target)])
    return boxes[account, mailbox], boxes[target_account, target]


async def _translate_flags(
    connection: Any, source: LockedMailbox, target: LockedMailbox, masks: Sequence[int]
) -> list[int]:
    """The masks in the target's keyword numbering; the target learns the keywords it lacks."""
    used = 0
    for mask in masks:
        used |= mask
    names = flag_bits.flag_names(source.keywords, used & ~flag_bits.SYSTEM)
    if not names or source.keywords == target.keywords:
        return list(masks)
    pairs = []
    for name in names:
        index = flag_bits.find_keyword(source.keywords, name)
        if index is not None:
            pairs.append((flag_bits.keyword_bit(index), await mailbox_rows.add_keywords(connection, target, [name])))
    cache: dict[int, int] = {}
    for mask in set(masks):
        new = mask & flag_bits.SYSTEM
        for old_bit, new_bit in pairs:
            if mask & old_bit:
                new |= new_bit
        cache[mask] = new
    return [cache[mask] for mask in masks]


async def _check_quota(connection: Any, source: LockedMailbox, target: LockedMailbox, uids: Sequence[int]) -> None:
    row = await connection.fetchrow(
        "SELECT a.quota_bytes, (SELECT coalesce(sum(bytes), 0) FROM mailbox WHERE account_id = a.id)::bigint AS used"
        " FROM account a WHERE a.id = $1",
        target.account,
    )
    if row is None or row["quota_bytes"] is None:
        return
    octets = await connection.fetchval(
        "SELECT coalesce(sum(size), 0)::bigint FROM message"
        " WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY($3::bigint[])",
        source.account,
        source.id,
        list(uids),
    )
    if row["used"] + octets > row["quota_bytes"]:
        raise OverQuota("the account is over its quota")
