"""Reading single things out of a snapshot: domains, accounts, the rows of an account, the octets of a body."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from mailraven.backup.bodies import BodyRow, Bundle, Bundler, parse_bodies, read_blob, read_bodies
from mailraven.backup.errors import DamagedBackup
from mailraven.backup.repository import Repository
from mailraven.backup.rows import split_rows, unescape
from mailraven.backup.snapshot import Chunk, Snapshot, Table

Row = dict[str, str | None]
"""Columns as text, as Postgres writes them."""
_KEPT_BUNDLES = 8


@dataclass(frozen=True, slots=True)
class SavedAccount:
    """An account of the snapshot."""

    id: int
    address: str
    domain: str


class Contents:
    """Of one snapshot."""

    def __init__(self, repository: Repository, snapshot: Snapshot) -> None:
        self._repository = repository
        self._snapshot = snapshot

    def table(self, name: str) -> Table | None:
        """None: the snapshot has no such table."""
        return self._snapshot.table(name)

    async def rows(self, name: str) -> AsyncIterator[Row]:
        """All rows of a small table."""
        table = self.table(name)
        if table is None:
            return
        for chunk in table.chunks:
            for fields in split_rows(await self._repository.get_content(bytes.fromhex(chunk.id))):
                yield _row(table, fields)

    async def accounts(self) -> list[SavedAccount]:
        """All, by address."""
        domains = {row["id"]: row["name"] async for row in self.rows("domain")}
        found = []
        async for row in self.rows("account"):
            domain = domains.get(row["domain_id"])
            if domain is None or row["id"] is None:
                raise DamagedBackup("an account of the backup has no domain")
            found.append(SavedAccount(int(row["id"]), f"{row['localpart']}@{domain}", domain))
        return sorted(found, key=lambda one: one.address)

    async def lines(self, name: str, account: int) -> AsyncIterator[bytes]:
        """The rows of an account in a table that begins with account_id, as COPY wrote them, chunk by chunk."""
        table = self.table(name)
        if table is None:
            return
        if table.columns[0] != "account_id":
            raise DamagedBackup(f"table {name} does not begin with the account")
        prefix = b"%d\t" % account
        for chunk in table.chunks:
            if _may_hold(chunk, account):
                octets = await self._repository.get_content(bytes.fromhex(chunk.id))
                lines = [line for line in octets.split(b"\n")[:-1] if line.startswith(prefix)]
                if lines:
                    yield b"\n".join(lines) + b"\n"

    async def account_rows(self, name: str, account: int) -> AsyncIterator[Row]:
        """The same, parsed."""
        table = self.table(name)
        async for octets in self.lines(name, account):
            assert table is not None  # noqa: S101 - lines() gives none without
            for fields in split_rows(octets):
                yield _row(table, fields)


class Bodies:
    """The octets of chosen bodies: where they are is noted in one pass over the table."""

    def __init__(self, repository: Repository, snapshot: Snapshot) -> None:
        self._repository = repository
        self._snapshot = snapshot
        self._directory = tempfile.TemporaryDirectory(prefix="mailraven-restore-")
        self._db = sqlite3.connect(Path(self._directory.name) / "bodies", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE wanted (account INTEGER, id INTEGER, PRIMARY KEY (account, id)) WITHOUT ROWID")
        self._db.execute(
            "CREATE TABLE found (account INTEGER, id INTEGER, bundle BLOB, line BLOB, PRIMARY KEY (account, id))"
        )
        self._bundles: OrderedDict[bytes, dict[tuple[int, int], bytes]] = OrderedDict()

    def close(self) -> None:
        """Remove the notes."""
        self._db.close()
        self._directory.cleanup()

    def want(self, keys: Iterable[tuple[int, int]]) -> None:
        """(account, id) of bodies."""
        self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?, ?)", keys)

    async def locate(self) -> None:
        """After the last want(), before the first read()."""
        table = self._snapshot.table("body")
        if table is None:
            return
        bundler = Bundler()
        async for rows in read_bodies(self._repository, table):
            self._note([(row, None) for row in rows if row.key is not None])
            for bundle in bundler.add(rows):
                self._note_bundle(bundle)
        for bundle in bundler.finish():
            self._note_bundle(bundle)

    async def read(self, account: int, body: int) -> bytes:
        """Raises DamagedBackup, TargetUnavailable."""
        found = self._db.execute(
            "SELECT bundle, line FROM found WHERE account = ? AND id = ?", (account, body)
        ).fetchone()
        if found is None:
            raise DamagedBackup(f"body {account}/{body} is not in the backup")
        bundle_id, line = found
        if bundle_id is None:
            (row,) = parse_bodies(line)
            return await read_blob(self._repository, row)
        return (await self._bundle(bundle_id, line))[account, body]

    def _note_bundle(self, bundle: Bundle) -> None:
        self._note([(row, bundle) for row in bundle.rows])

    def _note(self, rows: list[tuple[BodyRow, Bundle | None]]) -> None:
        for row, bundle in rows:
            key = (row.account, row.id)
            if self._db.execute("SELECT 1 FROM wanted WHERE account = ? AND id = ?", key).fetchone() is None:
                continue
            members = (row,) if bundle is None else bundle.rows
            line = b"".join(b"\t".join(one.line) + b"\n" for one in members)
            bundle_id = None if bundle is None else bundle.id(self._repository.codec)
            self._db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?)", (*key, bundle_id, line))

    async def _bundle(self, bundle_id: bytes, line: bytes) -> dict[tuple[int, int], bytes]:
        if bundle_id not in self._bundles:
            bundle = Bundle(tuple(parse_bodies(line)))
            octets = bundle.split(await self._repository.get(bundle_id))
            self._bundles[bundle_id] = {
                (row.account, row.id): one for row, one in zip(bundle.rows, octets, strict=True)
            }
            if len(self._bundles) > _KEPT_BUNDLES:
                self._bundles.popitem(last=False)
        return self._bundles[bundle_id]


def _row(table: Table, fields: list[bytes]) -> Row:
    if len(fields) != len(table.columns):
        raise DamagedBackup(f"a row of table {table.name} has another number of columns")
    try:
        return {name: unescape(field) for name, field in zip(table.columns, fields, strict=True)}
    except UnicodeDecodeError:
        raise DamagedBackup(f"a row of table {table.name} cannot be read") from None


def _may_hold(chunk: Chunk, account: int) -> bool:
    try:
        return int(chunk.first) <= account <= int(chunk.last)
    except ValueError:
        raise DamagedBackup("a chunk does not say which accounts it holds") from None
