"""STORE: change flags in one transaction, count what changed, leave a line in the change log (RFC 9051 §6.4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mailraven.db import Database
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore import mailbox_rows
from mailraven.mailstore.model import Stored

Operation = Literal["add", "remove", "replace"]

# $4 is kept of the old flags, $5 is set: add keeps all, remove keeps all but the mask, replace keeps nothing.
# By ctid: nobody else changes these rows under the mailbox's lock, and there is one way only to go from one to the
# other. By UID, Postgres reads all of `wanted` for each row while a mailbox is not in its statistics yet (40 s for
# 20,000 of 60,000).
_UPDATE = """
WITH wanted AS MATERIALIZED (
    SELECT f.ctid AS place, uid, flags, modseq, (flags & $4::bigint) | $5::bigint AS new FROM {rows} AS f
), changed AS (
    UPDATE message_flags f SET flags = w.new, modseq = $3
    FROM wanted w
    WHERE f.ctid = w.place AND w.flags <> w.new AND w.modseq <= $6
    RETURNING f.uid, w.flags AS old, f.flags AS new
), box AS (
    UPDATE mailbox b SET modseq = $3, unseen = b.unseen + t.unseen, deleted = b.deleted + t.deleted
    FROM (SELECT coalesce(sum((old & 1) - (new & 1)), 0) AS unseen,
                 coalesce(sum((new & 8) - (old & 8)), 0) / 8 AS deleted, count(*) AS n FROM changed) AS t
    WHERE account_id = $1 AND id = $2 AND t.n > 0
)
SELECT uid, new, false AS failed FROM changed
UNION ALL SELECT uid, flags, true FROM wanted WHERE modseq > $6
ORDER BY uid
"""
_UPDATE_RANGE = _UPDATE.format(
    rows="(SELECT ctid, * FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $7 AND $8)"
)
# A look-up for each: `uid = ANY($7)` may become a filter that reads the list to its end for each row.
_UPDATE_LIST = _UPDATE.format(
    rows="""(SELECT one.* FROM unnest($7::bigint[]) AS listed(uid), LATERAL (SELECT ctid, * FROM message_flags
        WHERE account_id = $1 AND mailbox_id = $2 AND uid = listed.uid OFFSET 0) AS one)"""
)
_ANY_MODSEQ = (1 << 63) - 1


async def store(
    database: Database,
    account: int,
    mailbox: int,
    uids: Sequence[int],
    operation: Operation,
    flags: int,
    keywords: Sequence[str],
    unchanged_since: int | None = None,
    without: tuple[int, Sequence[str]] = (0, ()),
) -> tuple[Stored, list[str]]:
    """Change flags of ascending UIDs; those that are gone are left out. Returns the mailbox's keywords, too.

    `without`: flags and keywords that "add" takes away in the same change.
    """
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        mask = flags
        if operation == "remove":
            mask |= flag_bits.mask_of(box.keywords, keywords)[0]  # nothing to remove of a keyword it does not know
        elif keywords:
            mask |= await mailbox_rows.add_keywords(connection, box, keywords)
        if not uids:
            return Stored(box.modseq, {}, []), box.keywords
        less = without[0] | flag_bits.mask_of(box.keywords, without[1])[0]
        keep = {"add": ~less, "remove": ~mask, "replace": 0}[operation]
        modseq = box.modseq + 1
        limit = _ANY_MODSEQ if unchanged_since is None else unchanged_since
        values = (account, mailbox, modseq, keep, 0 if operation == "remove" else mask, limit)
        if uids[-1] - uids[0] + 1 == len(uids):
            rows = await connection.fetch(_UPDATE_RANGE, *values, uids[0], uids[-1])
        else:
            rows = await connection.fetch(_UPDATE_LIST, *values, list(uids))
        changed = {row["uid"]: row["new"] for row in rows if not row["failed"]}
        failed = [row["uid"] for row in rows if row["failed"]]
        if changed:
            await mailbox_rows.log_change(connection, box, modseq, changed=sorted(changed))
        return Stored(modseq if changed else box.modseq, changed, failed), box.keywords


async def learn_keywords(database: Database, account: int, mailbox: int, keywords: Sequence[str]) -> int:
    """The mask of keywords in a mailbox, which learns new ones (for APPEND)."""
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        return await mailbox_rows.add_keywords(connection, box, keywords)
