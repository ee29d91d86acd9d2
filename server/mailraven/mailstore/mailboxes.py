"""Mailboxes and subscriptions: list, create, delete, rename (RFC 9051 §6.3)."""

from __future__ import annotations

import unicodedata
from typing import Any

import asyncpg

from mailraven.db import Database
from mailraven.mailstore import mailbox_rows, transfer
from mailraven.mailstore.errors import (
    HasChildren,
    InvalidName,
    MailboxExists,
    NoSuchMailbox,
    TooManyMailboxes,
)
from mailraven.mailstore.model import MailboxInfo

DELIMITER = "/"
MAX_NAME_OCTETS = 1000
MAX_LEVELS = 32
MAX_MAILBOXES = 10_000

_COLUMNS = """id, name, special_use, uidvalidity, uidnext, modseq, messages, unseen, deleted, bytes,
    CASE WHEN recent_uid >= uidnext THEN 0 ELSE (SELECT count(*) FROM message_flags f WHERE f.account_id = m.account_id
        AND f.mailbox_id = m.id AND f.uid >= m.recent_uid) END AS recent, keywords"""


def normalise(name: str) -> str:
    """The stored form of a mailbox name: NFC, INBOX in capitals.

    Raises:
        InvalidName: with the reason.
    """
    name = unicodedata.normalize("NFC", name)
    first, slash, rest = name.partition(DELIMITER)
    if first.isascii() and first.upper() == "INBOX":
        name = "INBOX" + slash + rest
    if not name:
        raise InvalidName("a mailbox name cannot be empty")
    if len(name.encode(errors="replace")) > MAX_NAME_OCTETS:
        raise InvalidName(f"a mailbox name has {MAX_NAME_OCTETS} octets at most")
    levels = name.split(DELIMITER)
    if len(levels) > MAX_LEVELS:
        raise InvalidName(f"a mailbox name has {MAX_LEVELS} levels at most")
    if not all(levels):
        raise InvalidName("a level of a mailbox name cannot be empty")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "*%" for letter in name):
        raise InvalidName("a mailbox name cannot hold control characters, '*' or '%'")
    return name


def normalise_existing(name: str) -> str:
    """As normalise(), for a name that should be there: NoSuchMailbox if it cannot be."""
    try:
        return normalise(name)
    except InvalidName as error:
        raise NoSuchMailbox(f"no such mailbox: {error}") from error


def _info(row: Any) -> MailboxInfo:
    values = dict(row)
    values["keywords"] = tuple(values["keywords"])
    return MailboxInfo(**values)


async def list_mailboxes(database: Database, account: int) -> list[MailboxInfo]:
    """All mailboxes of an account, by name."""
    async with database.acquire() as connection:
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM mailbox m WHERE account_id = $1 ORDER BY name",  # noqa: S608 - names written in the program
            account,
        )
    return [_info(row) for row in rows]


async def find(database: Database, account: int, name: str) -> MailboxInfo:
    """One mailbox by name.

    Raises:
        NoSuchMailbox: there is none, or no mailbox can have that name.
    """
    name = normalise_existing(name)
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM mailbox m WHERE account_id = $1 AND name = $2",  # noqa: S608 - names written in the program
            account,
            name,
        )
    if row is None:
        raise NoSuchMailbox("no such mailbox")
    return _info(row)


async def find_by_id(database: Database, account: int, mailbox: int) -> MailboxInfo:
    """One mailbox by id. NoSuchMailbox."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM mailbox m WHERE account_id = $1 AND id = $2",  # noqa: S608 - names written in the program
            account,
            mailbox,
        )
    if row is None:
        raise NoSuchMailbox("no such mailbox")
    return _info(row)


async def create(database: Database, account: int, name: str, special_use: str | None = None) -> MailboxInfo:
    """Make a mailbox and the parents it lacks. A trailing delimiter only announces children (RFC 9051 §6.3.4)."""
    name = normalise(name.rstrip(DELIMITER) if name != DELIMITER else name)
    levels = name.split(DELIMITER)
    async with database.transaction() as connection:
        await _lock_account(connection, account)
        await _insert_parents(connection, account, levels)
        await _insert(connection, account, name, special_use)
    return await find(database, account, name)


async def _lock_account(connection: Any, account: int) -> None:
    """First of all locks of a transaction that makes or renames: what it finds of names stays true to its end."""
    if await connection.fetchval("SELECT id FROM account WHERE id = $1 FOR NO KEY UPDATE", account) is None:
        raise NoSuchMailbox("the account is gone")


async def _insert_parents(connection: Any, account: int, levels: list[str]) -> None:
    for depth in range(1, len(levels)):
        parent = DELIMITER.join(levels[:depth])
        if not await _exists(connection, account, parent):
            await _insert(connection, account, parent, None)


async def _exists(connection: Any, account: int, name: str) -> bool:
    return await _id_of(connection, account, name) is not None


async def _id_of(connection: Any, account: int, name: str) -> int | None:
    found: int | None = await connection.fetchval(
        "SELECT id FROM mailbox WHERE account_id = $1 AND name = $2", account, name
    )
    return found


async def _insert(connection: Any, account: int, name: str, special_use: str | None) -> int:
    # The account's row, locked, gives the UIDVALIDITY, rising for ever, and serialises the count.
    uidvalidity = await connection.fetchval(
        "UPDATE account SET uidvalidity_next = greatest(uidvalidity_next + 1, extract(epoch FROM now())::bigint)"
        " WHERE id = $1 RETURNING uidvalidity_next",
        account,
    )
    count = await connection.fetchval("SELECT count(*) FROM mailbox WHERE account_id = $1", account)
    if count >= MAX_MAILBOXES:
        raise TooManyMailboxes(f"an account has {MAX_MAILBOXES} mailboxes at most")
    try:
        async with connection.transaction():
            new: int = await connection.fetchval(
                "INSERT INTO mailbox (account_id, name, special_use, uidvalidity) VALUES ($1, $2, $3, $4) RETURNING id",
                account,
                name,
                special_use,
                uidvalidity,
            )
    except asyncpg.UniqueViolationError:
        raise MailboxExists("a mailbox of that name exists") from None
    return new


async def delete(database: Database, account: int, name: str, only: int | None = None) -> int:
    """Delete a mailbox and its messages; children stay (RFC 9051 §6.3.5). Returns its id.

    NoSuchMailbox, too, where the name is not (or no more) that of mailbox `only`.
    """
    name = normalise_existing(name)
    if name == "INBOX":
        raise InvalidName("INBOX cannot be deleted")
    async with database.transaction() as connection:
        mailbox = await connection.fetchval(
            "SELECT id FROM mailbox WHERE account_id = $1 AND name = $2 FOR UPDATE", account, name
        )
        if mailbox is None:
            children = await connection.fetchval(
                "SELECT 1 FROM mailbox WHERE account_id = $1 AND starts_with(name, $2) LIMIT 1",
                account,
                name + DELIMITER,
            )
            if children is not None:
                raise HasChildren("it only exists as the parent of others")
            raise NoSuchMailbox("no such mailbox")
        _check_id(mailbox, only)
        await connection.execute(
            "INSERT INTO body_release (account_id, body_id)"
            " SELECT body_account_id, body_id FROM message WHERE account_id = $1 AND mailbox_id = $2",
            account,
            mailbox,
        )
        for table in ("message", "message_flags"):
            await connection.execute(
                f"DELETE FROM {table} WHERE account_id = $1 AND mailbox_id = $2",  # noqa: S608 - names written in the program
                account,
                mailbox,
            )
        await connection.execute("DELETE FROM mailbox WHERE account_id = $1 AND id = $2", account, mailbox)
    return int(mailbox)


def _check_id(found: int | None, only: int | None) -> None:
    if only is not None and found != only:
        raise NoSuchMailbox("the mailbox was renamed meanwhile")


async def rename(
    database: Database, account: int, old: str, new: str, only: int | None = None
) -> list[tuple[int, int, int]]:
    """Rename a mailbox with its children; INBOX's messages move instead (RFC 9051 §6.3.6).

    Returns (account, mailbox, modseq) of the mailboxes whose messages changed. `only`: as for delete().
    """
    old = normalise_existing(old)
    new = normalise(new.rstrip(DELIMITER) if new != DELIMITER else new)
    if new.startswith(old + DELIMITER):
        raise InvalidName("a mailbox cannot become its own child")
    async with database.transaction() as connection:
        await _lock_account(connection, account)
        if only is not None:
            _check_id(await _id_of(connection, account, old), only)
        if await _exists(connection, account, new):
            raise MailboxExists("a mailbox of that name exists")
        await _insert_parents(connection, account, new.split(DELIMITER))
        if old == "INBOX":
            return await _rename_inbox(connection, account, new)
        # In id order, as every transaction locks mailboxes: an UPDATE goes by whatever index it likes.
        await connection.execute(
            "SELECT 1 FROM mailbox WHERE account_id = $1 AND (name = $2 OR starts_with(name, $2 || '/'))"
            " ORDER BY id FOR UPDATE",
            account,
            old,
        )
        try:
            # Not the UIDs but the name changes: UIDVALIDITY stays with the messages.
            renamed = await connection.fetch(
                "UPDATE mailbox SET name = $3 || substr(name, length($2) + 1)"
                " WHERE account_id = $1 AND (name = $2 OR starts_with(name, $2 || '/')) RETURNING name",
                account,
                old,
                new,
            )
        except asyncpg.UniqueViolationError:
            raise MailboxExists("a mailbox of that name exists") from None
        if not renamed:
            raise NoSuchMailbox("no such mailbox")
        for row in renamed:
            normalise(row["name"])  # children may have become too long or too deep
    return []


async def _rename_inbox(connection: Any, account: int, new: str) -> list[tuple[int, int, int]]:
    target = await _insert(connection, account, new, None)
    inbox = await connection.fetchval("SELECT id FROM mailbox WHERE account_id = $1 AND name = 'INBOX'", account)
    boxes = await mailbox_rows.lock_many(connection, [(account, inbox), (account, target)])
    uids = [
        row["uid"]
        for row in await connection.fetch(
            "SELECT uid FROM message_flags WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid",
            account,
            inbox,
        )
    ]
    if not uids:
        return []
    copied = await transfer.copy_rows(connection, boxes[account, inbox], boxes[account, target], uids)
    modseq, _ = await transfer.remove_rows(connection, boxes[account, inbox], copied.source)
    return [(account, inbox, modseq), (account, target, 0)]


async def subscribe(database: Database, account: int, name: str, *, on: bool) -> None:
    """Subscribe or unsubscribe; the name may be of a mailbox that does not exist."""
    name = normalise(name)
    async with database.acquire() as connection:
        if on:
            await connection.execute(
                "INSERT INTO subscription (account_id, name) SELECT id, $2 FROM account WHERE id = $1"
                " ON CONFLICT DO NOTHING",
                account,
                name,
            )
        else:
            await connection.execute("DELETE FROM subscription WHERE account_id = $1 AND name = $2", account, name)


async def subscriptions(database: Database, account: int) -> list[str]:
    """Subscribed names, sorted."""
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT name FROM subscription WHERE account_id = $1 ORDER BY name", account)
    return [row["name"] for row in rows]


async def claim_recent(database: Database, account: int, mailbox: int) -> int:
    """First UID that is \\Recent to this SELECT; the next one starts after (RFC 3501 §2.3.2)."""
    async with database.transaction() as connection:
        row = await connection.fetchrow(
            "SELECT recent_uid, uidnext FROM mailbox WHERE account_id = $1 AND id = $2", account, mailbox
        )
        if row is None:
            raise NoSuchMailbox("the mailbox is gone")
        if row["recent_uid"] >= row["uidnext"]:
            return int(row["uidnext"])
        first: int | None = await connection.fetchval(
            "UPDATE mailbox m SET recent_uid = m.uidnext FROM (SELECT account_id, id, recent_uid FROM mailbox"
            " WHERE account_id = $1 AND id = $2 FOR UPDATE) old"
            " WHERE m.account_id = old.account_id AND m.id = old.id RETURNING old.recent_uid",
            account,
            mailbox,
        )
        if first is None:
            raise NoSuchMailbox("the mailbox is gone")
        return first


_ROOM = """
SELECT m.id, a.quota_bytes, CASE WHEN a.quota_bytes IS NULL THEN 0
    ELSE (SELECT coalesce(sum(bytes), 0) FROM mailbox WHERE account_id = $1) END::bigint AS used
FROM mailbox m JOIN account a ON a.id = m.account_id WHERE m.account_id = $1 AND {}
"""


async def room(database: Database, account: int, mailbox: int | str) -> tuple[int, int | None]:
    """Id of a mailbox by id or name, and the octets left to the account (None: unlimited). NoSuchMailbox."""
    if isinstance(mailbox, str):
        mailbox = normalise_existing(mailbox)
    condition = "m.name = $2" if isinstance(mailbox, str) else "m.id = $2"
    async with database.acquire() as connection:
        row = await connection.fetchrow(_ROOM.format(condition), account, mailbox)
    if row is None:
        raise NoSuchMailbox("no such mailbox")
    quota = row["quota_bytes"]
    return row["id"], None if quota is None else max(0, quota - row["used"])


async def usage(database: Database, account: int) -> tuple[int, int | None]:
    """Octets stored and the quota, None for unlimited."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT coalesce((SELECT sum(bytes) FROM mailbox WHERE account_id = a.id), 0)::bigint, quota_bytes"
            " FROM account a WHERE id = $1",
            account,
        )
    return (row[0], row[1]) if row is not None else (0, None)
