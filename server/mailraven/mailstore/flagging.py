"""STORE: change flags in one transaction, count what changed, leave a line in the change log (RFC 9051 §6.4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mailraven.db import Database
from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore import mailbox_rows
from mailraven.mailstore.model import Stored

Operation = Literal["add", "remove", "replace"]

# $5 is kept of the old flags, $6 is set: add keeps all, remove keeps all but the mask, replace keeps nothing.
_UPDATE = """
WITH wanted AS (
    SELECT uid, flags, modseq, (flags & $5::bigint) | $6::bigint AS new FROM message_flags
    WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $7 AND $8 AND ($3::bigint[] IS NULL OR uid = ANY($3))
), changed AS (
    UPDATE message_flags f SET flags = w.new, modseq = $4
    FROM wanted w
    WHERE f.account_id = $1 AND f.mailbox_id = $2 AND f.uid = w.uid AND w.flags <> w.new AND w.modseq <= $9
    RETURNING f.uid, w.flags AS old, f.flags AS new
), box AS (
    UPDATE mailbox b SET modseq = $4, unseen = b.unseen + t.unseen, deleted = b.deleted + t.deleted
    FROM (SELECT coalesce(sum((old & 1) - (new & 1)), 0) AS unseen,
                 coalesce(sum((new & 8) - (old & 8)), 0) / 8 AS deleted, count(*) AS n FROM changed) AS t
    WHERE account_id = $1 AND id = $2 AND t.n > 0
)
SELECT uid, new, false AS failed FROM changed
UNION ALL SELECT uid, flags, true FROM wanted WHERE modseq > $9
ORDER BY uid
"""
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
) -> tuple[Stored, list[str]]:
    """Change flags of ascending UIDs; those that are gone are left out. Returns the mailbox's keywords, too."""
    async with database.transaction() as connection:
        box = await mailbox_rows.lock(connection, account, mailbox)
        mask = flags
        if operation == "remove":
            mask |= flag_bits.mask_of(box.keywords, keywords)[0]  # nothing to remove of a keyword it does not know
        elif keywords:
            mask |= await mailbox_rows.add_keywords(connection, box, keywords)
        if not uids:
            return Stored(box.modseq, {}, []), box.keywords
        keep = {"add": -1, "remove": ~mask, "replace": 0}[operation]
        modseq = box.modseq + 1
        limit = _ANY_MODSEQ if unchanged_since is None else unchanged_since
        # A dense list is read as a range; what is in the range and not in the list is sorted out by ANY.
        whole = uids[-1] - uids[0] + 1 == len(uids)
        rows = await connection.fetch(
            _UPDATE,
            account,
            mailbox,
            None if whole else list(uids),
            modseq,
            keep,
            0 if operation == "remove" else mask,
            uids[0],
            uids[-1],
            limit,
        )
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
