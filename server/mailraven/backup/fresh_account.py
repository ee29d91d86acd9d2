"""A saved account that is not there: all of it as it was, UIDs and UIDVALIDITY too, in one transaction.

Ids of accounts, mailboxes and bodies are new, nothing else: rows go through temporary tables that map them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from mailraven.backup.contents import Bodies, Contents, Row, SavedAccount
from mailraven.backup.errors import DamagedBackup, ForeignVersion
from mailraven.backup.progress import Progress
from mailraven.backup.saved_messages import read_messages
from mailraven.backup.selection import Selection
from mailraven.backup.snapshot import Table
from mailraven.backup.tables import quoted
from mailraven.db import Connection
from mailraven.mailstore.bodies import BodyStore
from mailraven.sealing import Sealer, dkim_purpose, totp_purpose

# With account_id first and nothing else that has to be mapped.
_OF_ACCOUNT = ("subscription", "app_password", "recovery_code", "known_recipient")
_OF_DOMAIN = ("alias", "domain_alias", "dkim_key", "sender_rule")
_OF_MAILBOX = ("message_flags", "mailbox_change")

_BODY = """
INSERT INTO body (account_id, id, size, sha256, inline, object_key) VALUES ($1, $2, $3, $4, $5, $6)
"""


class FreshAccount:
    """Inside the caller's transaction: the account is not seen before it is whole."""

    def __init__(
        self,
        connection: Connection,
        store: BodyStore,
        contents: Contents,
        bodies: Bodies,
        sealer: Sealer,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._sealer = sealer
        self._store = store
        self._contents = contents
        self._bodies = bodies
        self._progress = progress

    async def ensure_domain(self, name: str) -> int:
        """Its id here; made as it was, with aliases and keys, when it is not there."""
        found: int | None = await self._connection.fetchval(
            "SELECT id FROM domain WHERE name = $1 FOR NO KEY UPDATE", name
        )
        if found is not None:
            return found
        saved = await self._one("domain", {"name": name})
        made: int = await self._insert_one("domain", saved, {"id": None})
        for table in _OF_DOMAIN:
            rows = [row async for row in self._contents.rows(table) if row["domain_id"] == saved["id"]]
            rows = [row for row in rows if row.get("account_id") in (None, "0")]
            for row in rows:
                if table == "dkim_key":
                    selector, old = row["selector"] or "", int(row["domain_id"] or 0)
                    sealed = self._reseal(
                        row["private_sealed"] or "", dkim_purpose(old, selector), dkim_purpose(made, selector)
                    )
                    row["private_sealed"] = "\\x" + sealed.hex()
                await self._insert_one(table, row, {"domain_id": made}, returning=False)
        return made

    async def run(self, saved: SavedAccount) -> int:
        """How many messages."""
        domain = await self.ensure_domain(saved.domain)
        row = await self._one("account", {"id": str(saved.id)})
        account: int = await self._insert_one("account", row, {"id": None, "domain_id": domain})
        if sealed := row.get("totp_sealed"):
            renewed = self._reseal(sealed, totp_purpose(saved.id), totp_purpose(account))
            await self._connection.execute("UPDATE account SET totp_sealed = $2 WHERE id = $1", account, renewed)
        for table in _OF_ACCOUNT:
            async for one in self._contents.account_rows(table, saved.id):
                changes: dict[str, int | None] = {"account_id": account}
                await self._insert_one(table, one, changes | ({"id": None} if "id" in one else {}), returning=False)
        await self._mailboxes(saved.id, account)
        count = await self._messages(saved.id, account)
        for table in _OF_MAILBOX:
            await self._mapped(table, saved.id, account, {"account_id": str(account), "mailbox_id": "b.new"})
        return count

    def _reseal(self, sealed: str, before: str, after: str) -> bytes:
        """A secret is bound to the id of its row. Raises SealingError: the master key of the source is needed."""
        return self._sealer.seal(after, self._sealer.open(before, bytes.fromhex(sealed.removeprefix("\\x"))))

    async def _mailboxes(self, saved: int, account: int) -> None:
        await self._connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS restored_mailbox (old bigint PRIMARY KEY, new bigint) ON COMMIT DROP;"
            "CREATE TEMP TABLE IF NOT EXISTS restored_body (account bigint, old bigint, new bigint,"
            " PRIMARY KEY (account, old)) ON COMMIT DROP; TRUNCATE restored_mailbox; TRUNCATE restored_body"
        )
        async for row in self._contents.account_rows("mailbox", saved):
            made = await self._insert_one("mailbox", row, {"account_id": account, "id": None})
            await self._connection.execute("INSERT INTO restored_mailbox VALUES ($1, $2)", int(row["id"] or 0), made)

    async def _messages(self, saved: int, account: int) -> int:
        seen: set[tuple[int, int]] = set()
        count = 0
        async for message in read_messages(self._contents, saved, Selection(account="*")):
            count += 1
            if message.body not in seen:
                seen.add(message.body)
                raw = await self._bodies.read(*message.body)
                body = await self._store.place(account, raw, self._connection)
                await self._connection.execute(
                    _BODY, account, body.id, body.size, body.sha256, body.inline, body.object_key
                )
                await self._connection.execute("INSERT INTO restored_body VALUES ($1, $2, $3)", *message.body, body.id)
            self._progress.advance(1)
        changes = {"account_id": str(account), "mailbox_id": "b.new"}
        changes |= {"body_account_id": str(account), "body_id": "o.new"}
        join = " JOIN restored_body o ON o.account = r.body_account_id AND o.old = r.body_id"
        await self._mapped("message", saved, account, changes, join)
        return count

    # -- rows --------------------------------------------------------------------------------------------------

    async def _one(self, table: str, wanted: Row) -> Row:
        async for row in self._contents.rows(table):
            if all(row[name] == value for name, value in wanted.items()):
                return row
        raise DamagedBackup(f"table {table} of the backup lacks a row")

    async def _insert_one(self, table: str, row: Row, changes: dict[str, int | None], *, returning: bool = True) -> int:
        """Changed columns are cast from their text by Postgres; None: its default."""
        columns = [name for name in row if changes.get(name, "") is not None]
        values = [str(changes[name]) if name in changes else row[name] for name in columns]
        types = await self._types(table)
        if lacking := [name for name in columns if name not in types]:
            raise ForeignVersion(f"this version has no place for {table}.{lacking[0]} of the backup")
        listed = ", ".join(quoted(name) for name in columns)
        casts = ", ".join(f"(${n}::text)::{types[name]}" for n, name in enumerate(columns, 1))
        end = " RETURNING id" if returning else ""
        query = f"INSERT INTO {quoted(table)} ({listed}) VALUES ({casts}){end}"  # noqa: S608 - names of the catalog
        try:
            return int(await self._connection.fetchval(query, *values) or 0)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise DamagedBackup(f"a row of table {table} cannot be restored: {error}") from None

    async def _types(self, table: str) -> dict[str, str]:
        rows = await self._connection.fetch(
            "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped",
            table,
        )
        return {row["name"]: row["type"] for row in rows}

    async def _mapped(self, name: str, saved: int, account: int, changes: dict[str, str], join: str = "") -> None:
        """All rows of the saved account in one table, through a temporary one."""
        table = self._contents.table(name)
        if table is None or await self._fill(table, saved) == 0:
            return
        listed = ", ".join(quoted(column) for column in table.columns)
        values = ", ".join(changes.get(column, f"r.{quoted(column)}") for column in table.columns)
        await self._connection.execute(
            f"INSERT INTO {quoted(name)} ({listed}) SELECT {values} FROM restored_rows r"  # noqa: S608 - as above
            f" JOIN restored_mailbox b ON b.old = r.mailbox_id{join}"
        )

    async def _fill(self, table: Table, saved: int) -> int:
        await self._connection.execute(
            "DROP TABLE IF EXISTS restored_rows;"
            f"CREATE TEMP TABLE restored_rows (LIKE {quoted(table.name)}) ON COMMIT DROP"
        )
        # LIKE copies NOT NULL; columns that the backup lacks have their default in the real table only.
        for column in set(await self._types(table.name)) - set(table.columns):
            await self._connection.execute(f"ALTER TABLE restored_rows ALTER {quoted(column)} DROP NOT NULL")
        status: str = await self._connection.copy_to_table(
            "restored_rows", source=self._lines(table.name, saved), columns=list(table.columns), format="text"
        )
        return int(status.rpartition(" ")[2])

    async def _lines(self, name: str, saved: int) -> AsyncIterator[bytes]:
        async for octets in self._contents.lines(name, saved):
            yield octets
