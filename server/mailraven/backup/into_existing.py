"""Saved mail into an account that is there: into new mailboxes beside its own, or merged into those.

Goes through the mailstore as an APPEND does: quota, new UIDs, told to all sessions. Nothing existing is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailraven.backup.contents import Bodies, Contents
from mailraven.backup.progress import Progress
from mailraven.backup.saved_messages import SavedMailbox, SavedMessage, read_mailboxes, read_messages
from mailraven.backup.selection import Existing, Selection
from mailraven.db import Database
from mailraven.mailstore import MailboxExists, Mailstore, NoSuchMailbox, Upload
from mailraven.mailstore.flags import SYSTEM

_BATCH = 100
_BATCH_OCTETS = 8 << 20

_THERE = """
SELECT m.prefix, b.sha256 FROM message m JOIN body b ON b.account_id = m.body_account_id AND b.id = m.body_id
 WHERE m.account_id = $1 AND m.mailbox_id = $2
"""


@dataclass(slots=True)
class Counts:
    """Of messages."""

    restored: int = 0
    present: int = 0
    """Merged mailboxes had them."""


class IntoExisting:
    """One saved account into one of ours."""

    def __init__(
        self, database: Database, mailstore: Mailstore, contents: Contents, bodies: Bodies, progress: Progress
    ) -> None:
        self._database = database
        self._mailstore = mailstore
        self._contents = contents
        self._bodies = bodies
        self._progress = progress
        self._there: set[bytes] = set()

    async def run(self, saved: int, account: int, selection: Selection, taken_at: datetime) -> Counts:
        """Mailboxes without a chosen message are not made."""
        counts = Counts()
        mailboxes = {one.id: one for one in await read_mailboxes(self._contents, saved, selection)}
        target: tuple[int, int] | None = None  # saved mailbox, ours
        batch: list[Upload] = []
        async for message in read_messages(self._contents, saved, selection):
            mailbox = mailboxes.get(message.mailbox)
            if mailbox is None:
                continue
            if target is None or target[0] != mailbox.id:
                await self._append(account, target, batch, counts)
                target = (mailbox.id, await self._target(account, mailbox, selection, taken_at))
            upload = await self._upload(message, mailbox)
            if self._is_there(upload):
                counts.present += 1
            else:
                batch.append(upload)
            if len(batch) >= _BATCH or sum(len(one.raw) for one in batch) >= _BATCH_OCTETS:
                await self._append(account, target, batch, counts)
        await self._append(account, target, batch, counts)
        return counts

    async def _append(self, account: int, target: tuple[int, int] | None, batch: list[Upload], counts: Counts) -> None:
        if target is not None and batch:
            await self._mailstore.append(account, target[1], batch)
            counts.restored += len(batch)
            self._progress.advance(len(batch))
        batch.clear()

    async def _target(self, account: int, mailbox: SavedMailbox, selection: Selection, taken_at: datetime) -> int:
        name = mailbox.name
        if selection.existing is not Existing.MERGE:
            name = f"Restored {taken_at:%Y-%m-%d}/{name}"
        self._there = set()
        try:
            found = await self._mailstore.mailbox(account, name)
        except NoSuchMailbox:
            try:
                found = await self._mailstore.create(account, name)
                await self._mailstore.subscribe(account, name)
            except MailboxExists:
                found = await self._mailstore.mailbox(account, name)
        # Also beside: a run that was killed is done again, and must not bring everything twice.
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_THERE, account, found.id)
        self._there = {_identity(row["prefix"], row["sha256"]) for row in rows}
        return found.id

    async def _upload(self, message: SavedMessage, mailbox: SavedMailbox) -> Upload:
        raw = await message.read(self._bodies)
        return Upload(
            raw=raw,
            flags=message.flags & SYSTEM,
            keywords=message.keywords(mailbox),
            internal_date=message.internal_date,
        )

    def _is_there(self, upload: Upload) -> bool:
        # An APPEND has no prefix: a message delivered before is the prefix and the body of its row.
        digest = hashlib.sha256(upload.raw).digest()
        if _identity(b"", digest) in self._there:
            return True
        return any(_identity(prefix, rest) in self._there for prefix, rest in _splits(upload.raw))


def _identity(prefix: bytes, sha256: bytes) -> bytes:
    return hashlib.sha256(prefix + b"\0" + sha256).digest()


def _splits(raw: bytes) -> Sequence[tuple[bytes, bytes]]:
    """The ways in which final delivery may have put Return-Path and Delivered-To before the body (RFC 5321 §4.4)."""
    found = []
    at = 0
    for _ in range(4):
        end = raw.find(b"\r\n", at)
        if end < 0 or not raw[at : at + 14].lower().startswith((b"return-path:", b"delivered-to:")):
            break
        at = end + 2
        found.append((raw[:at], hashlib.sha256(raw[at:]).digest()))
    return found
