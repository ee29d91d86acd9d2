"""The mailstore of one process: the only way mail changes, for SMTP, IMAP and the API alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from mailraven.blobs import BlobStore
from mailraven.db import Database, DatabaseUnavailable
from mailraven.mailstore import (
    collector,
    emptying,
    flagging,
    mailbox_rows,
    mailboxes,
    messages,
    paging,
    program,
    transfer,
)
from mailraven.mailstore import search as searching
from mailraven.mailstore.bodies import BodyStore
from mailraven.mailstore.errors import OverQuota, Unavailable
from mailraven.mailstore.intake import Arrival, Intake, Target, summary_of
from mailraven.mailstore.model import Appended, BodyRef, Copied, Items, MailboxInfo, Stored, Upload
from mailraven.mailstore.view import MailboxView
from mailraven.mailstore.views import POLL_SECONDS, Views

INLINE_MAX = 32 * 1024
_SEARCHES = 2  # at a time in a process, whose pool has three connections


@contextmanager
def _temporary() -> Iterator[None]:
    """A database that is away is a temporary failure of the mailstore."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise Unavailable(str(error)) from error


class Mailstore:
    """One a process. Every change is one transaction, durable on return, and told to all sessions after commit."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        *,
        inline_max: int = INLINE_MAX,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._searching: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._search_slots = asyncio.Semaphore(_SEARCHES)
        self._bodies = BodyStore(database, blobs, inline_max)
        self._views = Views(database, poll_seconds)
        self.intake = Intake(database, self._bodies, self._views.touched)

    async def close(self) -> None:
        """Stop the background tasks."""
        await self._views.close()

    async def collect(self, grace: timedelta = collector.GRACE) -> collector.Collected:
        """Remove the bodies that nothing refers to any more and that lost their last reference `grace` ago."""
        with _temporary():
            return await collector.collect(self._database, self._blobs, grace)

    # -- mailboxes ---------------------------------------------------------------------------------------------

    async def list_mailboxes(self, account: int) -> list[MailboxInfo]:
        """All mailboxes of an account, by name."""
        with _temporary():
            return await mailboxes.list_mailboxes(self._database, account)

    async def mailbox(self, account: int, name: str) -> MailboxInfo:
        """One mailbox by name. NoSuchMailbox."""
        with _temporary():
            return await mailboxes.find(self._database, account, name)

    async def mailbox_by_id(self, account: int, mailbox: int) -> MailboxInfo:
        """One mailbox by id. NoSuchMailbox."""
        with _temporary():
            return await mailboxes.find_by_id(self._database, account, mailbox)

    async def create(self, account: int, name: str, special_use: str | None = None) -> MailboxInfo:
        """Make a mailbox and the parents it lacks. MailboxExists, InvalidName, TooManyMailboxes."""
        with _temporary():
            return await mailboxes.create(self._database, account, name, special_use)

    async def delete(self, account: int, name: str, only: int | None = None) -> None:
        """Delete a mailbox with its messages. NoSuchMailbox, HasChildren, InvalidName for INBOX.

        NoSuchMailbox, too, where the name is not that of the mailbox with the id `only`.
        """
        with _temporary():
            mailbox = await mailboxes.delete(self._database, account, name, only)
        self._views.touched(account, mailbox, 0)

    async def rename(self, account: int, old: str, new: str, only: int | None = None) -> None:
        """Rename with children; INBOX's messages move. NoSuchMailbox (as for delete), MailboxExists, InvalidName."""
        with _temporary():
            for change in await mailboxes.rename(self._database, account, old, new, only):
                self._views.touched(*change)

    async def subscribe(self, account: int, name: str) -> None:
        """Subscribe to a name, of a mailbox or not. InvalidName."""
        with _temporary():
            await mailboxes.subscribe(self._database, account, name, on=True)

    async def unsubscribe(self, account: int, name: str) -> None:
        """Unsubscribe. InvalidName."""
        with _temporary():
            await mailboxes.subscribe(self._database, account, name, on=False)

    async def subscriptions(self, account: int) -> list[str]:
        """Subscribed names, sorted."""
        with _temporary():
            return await mailboxes.subscriptions(self._database, account)

    async def claim_recent(self, account: int, mailbox: int) -> int:
        """First UID that is \\Recent for this SELECT, which takes them."""
        with _temporary():
            return await mailboxes.claim_recent(self._database, account, mailbox)

    async def usage(self, account: int) -> tuple[int, int | None]:
        """Octets stored, and the quota (None: unlimited)."""
        with _temporary():
            return await mailboxes.usage(self._database, account)

    # -- reading -----------------------------------------------------------------------------------------------

    async def view(self, account: int, mailbox: int) -> MailboxView:
        """The process's shared view, as new as the database now; pair with release(). NoSuchMailbox."""
        return await self._views.open(account, mailbox)

    def release(self, view: MailboxView) -> None:
        """Close a view."""
        self._views.release(view)

    async def refresh(self, view: MailboxView) -> None:
        """Bring a view up to the database now; `view.gone` tells that the mailbox was deleted."""
        await self._views.refresh(view)

    async def fetch(self, account: int, mailbox: int, uids: Sequence[int]) -> AsyncIterator[list[Items]]:
        """Items of ascending UIDs in lists of 500 at most; those that are gone are left out."""
        with _temporary():
            async for chunk in messages.fetch(self._database, account, mailbox, uids):
                yield chunk

    async def page(
        self,
        account: int,
        mailbox: int,
        wanted: paging.Wanted,
        *,
        after: int | None = None,
        newest: bool = True,
        limit: int = 100,
    ) -> paging.Listing:
        """Messages beyond the UID `after`, newest or oldest first, as they are now. NoSuchMailbox."""
        with _temporary():
            return await paging.page(self._database, account, mailbox, wanted, after=after, newest=newest, limit=limit)

    async def chosen(self, account: int, mailbox: int, uids: Sequence[int]) -> paging.Listing:
        """These messages as they are now, by UID; those that are gone are left out. NoSuchMailbox."""
        with _temporary():
            return await paging.chosen(self._database, account, mailbox, uids)

    async def flags(self, account: int, mailbox: int, uids: Sequence[int]) -> paging.FlagListing:
        """Flags as they are now; those that are gone are left out. NoSuchMailbox."""
        with _temporary():
            return await paging.flags(self._database, account, mailbox, uids)

    async def read(self, ref: BodyRef, offset: int = 0, length: int | None = None) -> bytes:
        """The octets of a message, or a slice of them."""
        return await self._bodies.read(ref, offset, length)

    async def read_heads(self, refs: Sequence[BodyRef], octets: int) -> list[bytes]:
        """The first octets of many messages, in order; of one that cannot be read now, none."""
        return await self._bodies.read_heads(refs, octets)

    def read_many(self, refs: Sequence[BodyRef], budget: int = 8 << 20) -> AsyncIterator[list[bytes]]:
        """The octets of many messages in order, in lists of some `budget` octets."""
        return self._bodies.read_many(refs, budget)

    async def search(self, account: int, mailbox: int, program: program.Key, sequence: Sequence[int]) -> list[int]:
        """UIDs that match, ascending; `sequence` holds the session's UIDs by sequence number."""
        # One at a time for an account, and never on all connections: who searches must not keep others' mail out.
        lock = self._searching.setdefault(account, asyncio.Lock())
        async with lock, self._search_slots:
            with _temporary():
                return await searching.search(self._database, self._bodies, account, mailbox, program, sequence)

    async def vanished(self, account: int, mailbox: int, since: int) -> list[int]:
        """UIDs that were expunged after MODSEQ `since`, ascending (RFC 7162 §3.2.5.1)."""
        with _temporary():
            return await mailbox_rows.vanished(self._database, account, mailbox, since)

    # -- changing ----------------------------------------------------------------------------------------------

    async def append(self, account: int, mailbox: int | str, uploads: Sequence[Upload]) -> Appended:
        """Store messages, all or nothing; the mailbox by id or name. NoSuchMailbox, OverQuota, TooManyKeywords."""
        with _temporary():
            mailbox_id, left = await mailboxes.room(self._database, account, mailbox)
        if left is not None and sum(len(upload.raw) for upload in uploads) > left:
            raise OverQuota("the account is over its quota")
        prepared = [await self._prepare(account, mailbox_id, upload) for upload in uploads]
        committed = await self.intake.add(prepared)
        await self._refresh_open(account, mailbox_id, 0)
        return Appended(committed[0].rows[0][3], [one.rows[0][2] for one in committed], mailbox_id)

    async def _prepare(self, account: int, mailbox_id: int, upload: Upload) -> Arrival:
        flags = upload.flags
        if upload.keywords:
            with _temporary():
                flags |= await flagging.learn_keywords(self._database, account, mailbox_id, upload.keywords)
        body = await self._bodies.place(account, upload.raw)
        when = upload.internal_date or datetime.now(UTC).replace(microsecond=0)
        return Arrival(body, await summary_of(upload.raw), [Target(account, mailbox_id, flags, b"", when)])

    async def store(
        self,
        account: int,
        mailbox_id: int,
        uids: Sequence[int],
        operation: flagging.Operation,
        flags: int,
        keywords: Sequence[str] = (),
        unchanged_since: int | None = None,
        without: tuple[int, Sequence[str]] = (0, ()),
    ) -> Stored:
        """Change flags of ascending UIDs; "add" may take others away (`without`). NoSuchMailbox, TooManyKeywords."""
        with _temporary():
            stored, known = await flagging.store(
                self._database, account, mailbox_id, uids, operation, flags, keywords, unchanged_since, without
            )
        view = self._views.get(account, mailbox_id)
        if view is not None:
            view.learn(known)
            if stored.changed and view.highest_modseq == stored.modseq - 1:
                rows = ((uid, mask, stored.modseq) for uid, mask in stored.changed.items())
                view.change(stored.modseq, rows)
                view.reach(stored.modseq)
        if stored.changed:
            await self._committed((account, mailbox_id, stored.modseq))
        return stored

    async def copy(
        self, account: int, mailbox_id: int, uids: Sequence[int], target_account: int, target_name: str | int
    ) -> Copied:
        """Copy, all or nothing; the target by name or id.

        NoSuchMailbox (the target's: TRYCREATE), OverQuota, TooManyKeywords.
        """
        with _temporary():
            name = mailboxes.normalise_existing(target_name) if isinstance(target_name, str) else target_name
            copied, target = await transfer.copy(self._database, account, mailbox_id, uids, target_account, name)
        if copied.target:
            await self._committed((target_account, target, 0))
        return copied

    async def move(
        self, account: int, mailbox_id: int, uids: Sequence[int], target_account: int, target_name: str | int
    ) -> Copied:
        """Move, all or nothing. As copy."""
        with _temporary():
            name = mailboxes.normalise_existing(target_name) if isinstance(target_name, str) else target_name
            moved = await transfer.move(self._database, account, mailbox_id, uids, target_account, name)
        if moved.copied.source:
            source = (account, mailbox_id, moved.source_modseq)
            await self._committed((target_account, moved.target_mailbox, 0), source)
        return moved.copied

    async def expunge(self, account: int, mailbox_id: int, uids: Sequence[int] | None = None) -> list[int]:
        """Remove the \\Deleted messages, among `uids` only where given; returns their UIDs."""
        with _temporary():
            modseq, removed = await transfer.expunge(self._database, account, mailbox_id, uids)
        if removed:
            await self._committed((account, mailbox_id, modseq))
        return removed

    async def remove(self, account: int, mailbox_id: int, uids: Sequence[int]) -> list[int]:
        """Remove these messages for good, \\Deleted or not; returns their UIDs. NoSuchMailbox."""
        with _temporary():
            modseq, removed = await transfer.remove(self._database, account, mailbox_id, uids)
        if removed:
            await self._committed((account, mailbox_id, modseq))
        return removed

    async def remove_oldest(self, account: int, mailbox_id: int, limit: int) -> list[int]:
        """Remove the first `limit` messages of a mailbox for good; returns their UIDs. NoSuchMailbox."""
        with _temporary():
            modseq, removed = await transfer.remove_oldest(self._database, account, mailbox_id, limit)
        if removed:
            await self._committed((account, mailbox_id, modseq))
        return removed

    async def empty(self, account: int) -> int:
        """Remove all messages of an account, which gets no new ones any more; returns how many."""
        count = 0
        with _temporary():
            async for mailbox, modseq, removed in emptying.empty(self._database, account):
                count += removed
                await self._committed((account, mailbox, modseq))
        return count

    async def _committed(self, *changes: tuple[int, int, int]) -> None:
        """(account, mailbox, modseq) are durable: this process' views show them on return, the others hear soon."""
        try:
            for change in changes:
                await self._refresh_open(*change)
        finally:  # also when whoever asked for it went away meanwhile
            for change in changes:
                self._views.touched(*change)

    async def _refresh_open(self, account: int, mailbox: int, modseq: int) -> None:
        view = self._views.get(account, mailbox)
        if view is not None and (modseq == 0 or view.highest_modseq < modseq):
            try:
                await self._views.refresh(view)
            except Unavailable:
                pass  # the change itself is done; the poll brings the view up
