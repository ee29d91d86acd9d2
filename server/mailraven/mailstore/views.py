"""All mailbox views of a process: loading, refreshing, sharing, and hearing of changes made elsewhere."""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections import OrderedDict
from typing import Any

import structlog

from mailraven.db import Database, DatabaseUnavailable
from mailraven.mailstore import uidset
from mailraven.mailstore.errors import NoSuchMailbox, Unavailable
from mailraven.mailstore.view import MailboxView

_log = structlog.get_logger(component="mailstore")

CHANNEL = "mailraven_mail"
_KEPT_MESSAGES = 1_000_000  # of mailboxes that nobody has open: some 20 octets each
_KEPT_VIEWS = 256
POLL_SECONDS = 20.0

# Arrays travel as strings of big-endian 8-octet integers: no Python object per number.
_LOAD = """
SELECT b.uidvalidity, b.uidnext, b.modseq, b.keywords, f.uids, f.flags, f.modseqs
FROM mailbox b, LATERAL (
    SELECT string_agg(int8send(uid), ''::bytea) AS uids, string_agg(int8send(flags), ''::bytea) AS flags,
           string_agg(int8send(modseq), ''::bytea) AS modseqs
    FROM (SELECT uid, flags, modseq FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid) AS o
) AS f
WHERE b.account_id = $1 AND b.id = $2
"""

# One statement, so one snapshot: what arrived, and which UIDs the change log names.
_REFRESH = """
SELECT b.uidnext, b.modseq, b.keywords,
    (SELECT array_agg(ARRAY[uid, flags, modseq] ORDER BY uid) FROM message_flags
      WHERE account_id = $1 AND mailbox_id = $2 AND uid >= $3 AND b.modseq > $4) AS arrived,
    (SELECT array_agg(ARRAY[modseq::text, changed, expunged] ORDER BY modseq) FROM mailbox_change
      WHERE account_id = $1 AND mailbox_id = $2 AND modseq > $4 AND b.modseq > $4) AS log
FROM mailbox b WHERE b.account_id = $1 AND b.id = $2
"""

_FLAGS = """
SELECT uid, flags, modseq FROM message_flags
WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY($3::bigint[]) ORDER BY uid
"""


class Views:
    """The views of one process by (account, mailbox id)."""

    def __init__(self, database: Database, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._views: dict[tuple[int, int], MailboxView] = {}
        self._released: OrderedDict[tuple[int, int], int] = OrderedDict()  # and how many messages it counts for
        self._released_messages = 0
        self._locks: dict[tuple[int, int], asyncio.Lock] = {}
        self._stale: dict[tuple[int, int], None] = {}
        self._refresher: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        database.listener.subscribe(CHANNEL, self._notified)

    async def open(self, account: int, mailbox: int) -> MailboxView:
        """The shared view, as new as the database now. Pair with release()."""
        key = (account, mailbox)
        async with self._lock(key):
            view = self._views.get(key)
            try:
                if view is None or view.gone:
                    view = await self._load(account, mailbox)
                    self._views[key] = view
                    view.users += 1
                else:
                    await self._reopen(view)
            except DatabaseUnavailable as error:
                raise Unavailable(str(error)) from error
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="mailstore-poll")
        return view

    def release(self, view: MailboxView) -> None:
        """A session closes the mailbox; the view stays warm while there is room."""
        view.users -= 1
        key = (view.account, view.mailbox)
        if view.users > 0 or self._views.get(key) is not view:
            return
        if view.gone:
            self._drop(key)
            return
        self._released[key] = len(view)
        self._released_messages += len(view)
        while self._released_messages > _KEPT_MESSAGES or len(self._released) > _KEPT_VIEWS:
            oldest, messages = self._released.popitem(last=False)
            self._released_messages -= messages
            self._drop(oldest)

    async def refresh(self, view: MailboxView) -> None:
        """Bring the view up to the database now. `view.gone` tells that the mailbox was deleted."""
        try:
            async with self._lock((view.account, view.mailbox)):
                await self._refresh(view)
        except DatabaseUnavailable as error:
            raise Unavailable(str(error)) from error

    def touched(self, account: int, mailbox: int, modseq: int) -> None:
        """A change was committed by this process: refresh an open view soon and tell the other processes.

        modseq 0 means unknown.
        """
        self._mark(account, mailbox, modseq)
        self._database.notifier.notify(CHANNEL, f"{account}:{mailbox}:{modseq}")

    def get(self, account: int, mailbox: int) -> MailboxView | None:
        """The view if some session has it open."""
        view = self._views.get((account, mailbox))
        return view if view is not None and view.users > 0 else None

    async def close(self) -> None:
        """Stop the background tasks."""
        for task in (self._refresher, self._poller):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in (self._refresher, self._poller) if t is not None), return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------------

    async def _reopen(self, view: MailboxView) -> None:
        """In use before the first await, so that nobody drops it meanwhile."""
        view.users += 1
        self._released_messages -= self._released.pop((view.account, view.mailbox), 0)
        try:
            await self._refresh(view)
        except BaseException:
            self.release(view)
            raise
        if view.gone:
            self.release(view)
            raise NoSuchMailbox("the mailbox is gone")

    def _drop(self, key: tuple[int, int]) -> None:
        self._views.pop(key, None)
        self._locks.pop(key, None)

    def _lock(self, key: tuple[int, int]) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    async def _load(self, account: int, mailbox: int) -> MailboxView:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_LOAD, account, mailbox)
        if row is None:
            self._locks.pop((account, mailbox), None)
            raise NoSuchMailbox("the mailbox is gone")
        view = MailboxView(account, mailbox, row["uidvalidity"])
        view.uidnext = row["uidnext"]
        view.keywords = list(row["keywords"])
        uids = array("I", _integers(row["uids"]))
        view.load(uids, _integers(row["flags"]), _integers(row["modseqs"]), row["modseq"])
        return view

    async def _refresh(self, view: MailboxView) -> None:
        async with self._database.acquire() as connection:
            known = view.uidnext
            row = await connection.fetchrow(_REFRESH, view.account, view.mailbox, known, view.highest_modseq)
            if row is None:
                view.gone = True
                view.reach(view.highest_modseq)
                return
            if row["modseq"] == view.highest_modseq:
                view.learn(row["keywords"])
                return
            log = [(int(modseq), uidset.decode(c), uidset.decode(e)) for modseq, c, e in row["log"] or ()]
            changed = sorted({uid for _, uids, _ in log for uid in uids if uid < known})
            rows = await connection.fetch(_FLAGS, view.account, view.mailbox, changed) if changed else []
        view.learn(row["keywords"])
        view.uidnext = max(view.uidnext, row["uidnext"])
        view.append((uid, flags, modseq) for uid, flags, modseq in row["arrived"] or ())
        by_uid = {uid: (uid, flags, modseq) for uid, flags, modseq in rows}
        reached = view.highest_modseq  # changes of this process may have been applied since the question was asked
        for modseq, uids, expunged in log:
            if modseq <= reached:
                continue
            if uids:
                view.change(modseq, [by_uid[uid] for uid in uids if uid in by_uid])
            if expunged:
                view.expunge(modseq, expunged)
        view.reach(row["modseq"])

    def _mark(self, account: int, mailbox: int, modseq: int) -> None:
        view = self._views.get((account, mailbox))
        if view is None or view.users == 0 or (modseq and modseq <= view.highest_modseq):
            return
        self._stale[account, mailbox] = None
        if self._refresher is None or self._refresher.done():
            self._refresher = asyncio.create_task(self._refresh_stale(), name="mailstore-refresh")

    async def _refresh_stale(self) -> None:
        while self._stale:
            stale, self._stale = self._stale, {}
            for key in stale:
                view = self._views.get(key)
                if view is None or view.users == 0:
                    continue
                try:
                    await self.refresh(view)
                except Unavailable as error:
                    _log.warning("view not refreshed", error=str(error))  # the poll comes back to it
                except Exception:  # noqa: BLE001 - the others have their turn
                    _log.exception("view not refreshed", account=view.account, mailbox=view.mailbox)

    def _notified(self, payload: str | None) -> None:
        if payload is None:  # notifications may have been lost
            for key in self._views:
                self._mark(*key, 0)
            return
        for entry in payload.split(","):
            self._mark(*(int(number) for number in entry.split(":")))

    async def _poll(self) -> None:
        """Heal lost notifications: one cheap query for all open mailboxes, while there are any."""
        while any(view.users for view in self._views.values()):
            await asyncio.sleep(self._poll_seconds)
            keys = [key for key, view in self._views.items() if view.users]
            try:
                async with self._database.acquire() as connection:
                    rows = await connection.fetch(
                        "SELECT k.account_id, k.id, coalesce(m.modseq, 0) FROM unnest($1::bigint[], $2::bigint[])"
                        " AS k(account_id, id) LEFT JOIN mailbox m ON m.account_id = k.account_id AND m.id = k.id",
                        [account for account, _ in keys],
                        [mailbox for _, mailbox in keys],
                    )
            except DatabaseUnavailable:
                continue
            except Exception:  # noqa: BLE001 - the next round may do better
                _log.exception("open views not polled")
                continue
            for account, mailbox, modseq in rows:
                self._mark(account, mailbox, modseq)


def _integers(packed: Any) -> array[int]:
    values = array("q")
    if packed:
        values.frombytes(packed)
        if sys.byteorder == "little":
            values.byteswap()
    return values
