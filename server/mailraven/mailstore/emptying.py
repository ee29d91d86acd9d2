"""Taking all mail out of an account, in transactions of bounded size; the collector deletes the bodies later."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mailraven.db import Database
from mailraven.mailstore import mailbox_rows, transfer
from mailraven.mailstore.errors import NoSuchMailbox

CHUNK = 1000  # messages of a transaction

_NEXT = """
SELECT id FROM mailbox WHERE account_id = $1 AND messages > 0 ORDER BY id LIMIT 1
"""


async def empty(database: Database, account: int, chunk: int = CHUNK) -> AsyncIterator[tuple[int, int, int]]:
    """Yields (mailbox, modseq, messages removed) after each commit, until no mailbox holds a message.

    Who wants it to end lets nothing new in first.
    """
    while True:
        async with database.transaction() as connection:
            mailbox = await connection.fetchval(_NEXT, account)
            if mailbox is None:
                return
            try:
                box = await mailbox_rows.lock(connection, account, mailbox)
            except NoSuchMailbox:
                continue  # deleted meanwhile
            uids = [
                row["uid"]
                for row in await connection.fetch(
                    "SELECT uid FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid LIMIT $3",
                    account,
                    mailbox,
                    chunk,
                )
            ]
            modseq, removed = await transfer.remove_rows(connection, box, uids) if uids else (box.modseq, [])
            if not removed:
                raise RuntimeError(f"mailbox {mailbox} counts messages that are not there")
        yield mailbox, modseq, len(removed)
