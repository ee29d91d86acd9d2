"""App passwords: one for each mail client, of random characters, shown once, for smtp and imap only."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.directory import codes
from mailraven.directory.address import Address
from mailraven.directory.errors import AppPasswordExists, InvalidValue, NoSuchAccount, NoSuchAppPassword
from mailraven.directory.locks import notify

GROUPS = 6  # 118 bits
MAXIMUM = 50  # of an account
NAME_CHARACTERS = 100
PROTOCOLS = frozenset({"smtp", "imap"})
_REMEMBERED = 10_000
_HOUR = 3600
_LONGEST = timedelta(days=36_600)

_log = structlog.get_logger(component="directory")

_MARK = """
UPDATE app_password p SET last_used_at = date_trunc('hour', now())
  FROM unnest($1::bigint[], $2::bigint[]) AS u(account_id, id)
 WHERE p.account_id = u.account_id AND p.id = u.id AND p.last_used_at IS DISTINCT FROM date_trunc('hour', now())
"""
_INSERT = """
INSERT INTO app_password (account_id, name, sha256, protocols, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, name) DO NOTHING
RETURNING id, name, protocols, created_at, expires_at, last_used_at
"""
_LIST = """
SELECT id, name, protocols, created_at, expires_at, last_used_at FROM app_password WHERE account_id = $1 ORDER BY id
"""
_LIST_ALL = """
SELECT p.id, p.name, p.protocols, p.created_at, p.expires_at, p.last_used_at, c.localpart, d.name AS domain
  FROM app_password p JOIN account c ON c.id = p.account_id JOIN domain d ON d.id = c.domain_id
 WHERE p.id > $1 AND ($2::bigint[] IS NULL OR c.domain_id = ANY ($2)) ORDER BY p.id LIMIT $3
"""
_DELETE = """
DELETE FROM app_password WHERE account_id = $1 AND id = $2
RETURNING id, name, protocols, created_at, expires_at, last_used_at
"""


@dataclass(frozen=True, slots=True)
class AppPasswordEntry:
    """One of the list; the secret itself is nowhere."""

    id: int
    name: str
    protocols: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


async def create_app_password(
    connection: Connection,
    account_id: int,
    name: str,
    *,
    protocols: Collection[str] = PROTOCOLS,
    expires_at: datetime | None = None,
) -> tuple[AppPasswordEntry, str]:
    """The entry and the secret, which nobody can read again. Raises AppPasswordExists, InvalidValue, NoSuchAccount."""
    _check(name, protocols, expires_at)
    # Locks the account: of two at once the second sees the first when it counts.
    if not await connection.fetchval("SELECT true FROM account WHERE id = $1 FOR NO KEY UPDATE", account_id):
        raise NoSuchAccount("no such account")
    await connection.execute("DELETE FROM app_password WHERE account_id = $1 AND expires_at < now()", account_id)
    if await connection.fetchval("SELECT count(*) FROM app_password WHERE account_id = $1", account_id) >= MAXIMUM:
        raise InvalidValue(f"an account has at most {MAXIMUM} app passwords: delete one first")
    secret = codes.make_code(GROUPS)
    row = await connection.fetchrow(
        _INSERT,
        account_id,
        name,
        codes.digest(secret),
        sorted(protocols),
        expires_at,
    )
    if row is None:
        raise AppPasswordExists(f"there is an app password called {name}")
    await notify(connection)
    return _entry(row), secret


async def list_app_passwords(connection: Connection, account_id: int) -> list[AppPasswordEntry]:
    """All of an account, oldest first; also those that have expired, until the next one is made."""
    rows = await connection.fetch(_LIST, account_id)
    return [_entry(row) for row in rows]


async def list_all_app_passwords(
    connection: Connection, domain_ids: Collection[int] | None, *, after: int | None = None, limit: int = 100
) -> list[tuple[str, AppPasswordEntry]]:
    """With the address of the account, oldest first. `domain_ids`: of accounts of these domains; None: of all."""
    wanted = None if domain_ids is None else list(domain_ids)
    found = []
    for row in await connection.fetch(_LIST_ALL, after or 0, wanted, limit):
        fields = dict(row)
        address = Address(fields.pop("localpart"), fields.pop("domain"))
        found.append((str(address), AppPasswordEntry(**fields | {"protocols": tuple(fields["protocols"])})))
    return found


async def delete_app_password(connection: Connection, account_id: int, app_password_id: int) -> AppPasswordEntry:
    """What it was. Sessions that it opened end within a minute. Raises NoSuchAppPassword."""
    row = await connection.fetchrow(_DELETE, account_id, app_password_id)
    if row is None:
        raise NoSuchAppPassword("no such app password")
    await notify(connection)
    return _entry(row)


class LastUse:
    """When app passwords were used last, to the hour: written in the background, once an hour and process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._written: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._waiting: set[tuple[int, int]] = set()
        self._task: asyncio.Task[None] | None = None

    def mark(self, account_id: int, app_password_id: int) -> None:
        """It was used now."""
        key, hour = (account_id, app_password_id), int(self._clock()) // _HOUR
        if self._written.get(key) == hour:
            return
        self._written[key] = hour
        self._written.move_to_end(key)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)
        self._waiting.add(key)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="app-password-last-use")

    async def close(self) -> None:
        """Write what waits, for a second at most."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=1)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = sorted(self._waiting), set()
            try:
                async with self._database.acquire() as connection:
                    await connection.execute(_MARK, [account for account, _ in batch], [one for _, one in batch])
            except DatabaseUnavailable as error:
                _log.warning("last use of app passwords not written", error=type(error).__name__)


def _check(name: str, protocols: Collection[str], expires_at: datetime | None) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS or any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in name):
        raise InvalidValue(f"the name of an app password has 1 to {NAME_CHARACTERS} characters, no controls")
    if not protocols or not PROTOCOLS.issuperset(protocols):
        raise InvalidValue("an app password is for smtp, imap or both")
    if expires_at is not None and not timedelta() < expires_at - datetime.now(UTC) < _LONGEST:
        raise InvalidValue(f"an app password expires in the future, in {_LONGEST.days} days at most; or never")


def _entry(row: asyncpg.Record) -> AppPasswordEntry:
    fields = dict(row)
    return AppPasswordEntry(**fields | {"protocols": tuple(fields["protocols"])})
