"""Brings back a domain, an account, a mailbox or messages of a time into a running instance."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from mailraven.backup.contents import Bodies, Contents, SavedAccount
from mailraven.backup.errors import BackupError, NothingFound
from mailraven.backup.fresh_account import FreshAccount
from mailraven.backup.into_existing import IntoExisting
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.saved_messages import read_mailboxes, read_messages
from mailraven.backup.selection import Existing, Selection
from mailraven.backup.snapshot import Snapshot
from mailraven.blobs import BlobStore
from mailraven.db import Connection, Database
from mailraven.directory import parse_address
from mailraven.directory.changes import notify
from mailraven.mailstore import Mailstore
from mailraven.mailstore.bodies import BodyStore
from mailraven.sealing import Sealer

_log = structlog.get_logger(component="backup")


@dataclass(slots=True)
class PartRestored:
    """What a restore did, or would do."""

    accounts_made: list[str] = field(default_factory=list)
    accounts_filled: list[str] = field(default_factory=list)
    messages: int = 0
    present: int = 0
    """Messages that were there already."""


class PartRestore:
    """One run."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        mailstore: Mailstore,
        repository: Repository,
        snapshot: Snapshot,
        progress: Progress,
        *,
        inline_max: int,
        sealer: Sealer,
    ) -> None:
        self._database = database
        self._mailstore = mailstore
        self._sealer = sealer
        self._store = BodyStore(database, blobs, inline_max)
        self._repository = repository
        self._snapshot = snapshot
        self._contents = Contents(repository, snapshot)
        self._progress = progress

    async def run(self, selection: Selection, *, dry_run: bool = False) -> PartRestored:
        """Account by account, each whole or, where it was there before, message by message: a run that was killed is
        done again. Raises BackupError, DirectoryError, MailstoreError.
        """
        saved = selection.accounts(await self._contents.accounts())
        targets = [(one, await self._find(selection.into or one.address)) for one in saved]
        self._check(selection, targets)
        result = PartRestored(
            accounts_made=[one.address for one, account in targets if account is None],
            accounts_filled=[selection.into or one.address for one, account in targets if account is not None],
        )
        bodies = Bodies(self._repository, self._snapshot)
        try:
            total = 0
            for one in saved:
                total += await self._want(one, selection, bodies)
            if dry_run:
                result.messages = total
                return result
            await bodies.locate()
            self._progress.begin("messages", total, "messages")
            for one, account in targets:
                if account is None:
                    result.messages += await self._make(one, bodies)
                    continue
                filling = IntoExisting(self._database, self._mailstore, self._contents, bodies, self._progress)
                counts = await filling.run(one.id, account, selection, self._snapshot.taken_at)
                result.messages += counts.restored
                result.present += counts.present
        finally:
            bodies.close()
        _log.info(
            "part_restored",
            accounts_made=len(result.accounts_made),
            accounts_filled=len(result.accounts_filled),
            messages=result.messages,
        )
        return result

    def _check(self, selection: Selection, targets: list[tuple[SavedAccount, int | None]]) -> None:
        there = [one.address for one, account in targets if account is not None]
        if selection.into is not None and not there:
            raise NothingFound(f"there is no account {selection.into} here")
        if there and selection.existing is Existing.REFUSE and selection.into is None:
            raise BackupError(
                f"{', '.join(there[:5])}{' and others' if len(there) > 5 else ''} is there already: say whether its "
                "mail goes beside what is there (--beside) or is merged with it (--merge)"
            )
        if selection.is_part and not there:
            raise NothingFound(f"there is no account {selection.account} here to take a part: restore all of it")

    async def _want(self, saved: SavedAccount, selection: Selection, bodies: Bodies) -> int:
        mailboxes = {one.id for one in await read_mailboxes(self._contents, saved.id, selection)}
        if not mailboxes:
            raise NothingFound(f"{saved.address} has no mailbox {selection.mailbox} in the backup")
        count = 0
        wanted: list[tuple[int, int]] = []
        async for message in read_messages(self._contents, saved.id, selection):
            if message.mailbox in mailboxes:
                count += 1
                wanted.append(message.body)
                if len(wanted) >= 1000:
                    bodies.want(wanted)
                    wanted = []
        bodies.want(wanted)
        return count

    async def _make(self, saved: SavedAccount, bodies: Bodies) -> int:
        async with self._database.transaction() as connection:
            fresh = FreshAccount(connection, self._store, self._contents, bodies, self._sealer, self._progress)
            count = await fresh.run(saved)
            await notify(connection)
        return count

    async def _find(self, address: str) -> int | None:
        parsed = parse_address(address).canonical
        async with self._database.acquire() as connection:
            return await _account(connection, parsed.localpart, parsed.domain)


async def _account(connection: Connection, localpart: str, domain: str) -> int | None:
    found: int | None = await connection.fetchval(
        "SELECT c.id FROM account c JOIN domain d ON d.id = c.domain_id WHERE c.localpart = $1 AND d.name = $2",
        localpart,
        domain,
    )
    return found
