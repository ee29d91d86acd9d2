"""The messages of one account in a snapshot: their rows beside their flags, and the octets on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from mailraven.backup.contents import Bodies, Contents, Row
from mailraven.backup.errors import DamagedBackup
from mailraven.backup.selection import Selection
from mailraven.mailstore.flags import SYSTEM, flag_names


@dataclass(frozen=True, slots=True)
class SavedMailbox:
    """A mailbox of the snapshot."""

    id: int
    name: str
    special_use: str | None
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedMessage:
    """A message of the snapshot."""

    mailbox: int
    uid: int
    body: tuple[int, int]
    prefix: bytes
    internal_date: datetime
    flags: int

    def keywords(self, mailbox: SavedMailbox) -> tuple[str, ...]:
        """By name."""
        return tuple(flag_names(mailbox.keywords, self.flags & ~SYSTEM))

    async def read(self, bodies: Bodies) -> bytes:
        """Its octets."""
        return self.prefix + await bodies.read(*self.body)


async def read_mailboxes(contents: Contents, account: int, selection: Selection) -> list[SavedMailbox]:
    """Those that are meant."""
    found = []
    async for row in contents.account_rows("mailbox", account):
        if selection.takes_mailbox(row["name"]):
            name = row["name"] or ""
            found.append(SavedMailbox(_int(row, "id"), name, row["special_use"], _array(row["keywords"] or "{}")))
    return sorted(found, key=lambda one: one.name)


async def read_messages(contents: Contents, account: int, selection: Selection) -> AsyncIterator[SavedMessage]:
    """By mailbox and UID, as both tables are ordered."""
    flags = contents.account_rows("message_flags", account)
    waiting = await anext(flags, None)
    async for row in contents.account_rows("message", account):
        key = (_int(row, "mailbox_id"), _int(row, "uid"))
        while waiting is not None and (_int(waiting, "mailbox_id"), _int(waiting, "uid")) < key:
            waiting = await anext(flags, None)
        mask = 0
        if waiting is not None and (_int(waiting, "mailbox_id"), _int(waiting, "uid")) == key:
            mask = _int(waiting, "flags")
        message = _message(row, mask)
        if selection.takes_date(message.internal_date):
            yield message


def _message(row: Row, mask: int) -> SavedMessage:
    try:
        prefix = bytes.fromhex((row["prefix"] or "\\x").removeprefix("\\x"))
        when = datetime.fromisoformat(row["internal_date"] or "")
    except ValueError:
        raise DamagedBackup("a message of the backup cannot be read") from None
    body = (_int(row, "body_account_id"), _int(row, "body_id"))
    return SavedMessage(_int(row, "mailbox_id"), _int(row, "uid"), body, prefix, when, mask)


def _int(row: Row, name: str) -> int:
    try:
        return int(row[name] or "")
    except (KeyError, ValueError):
        raise DamagedBackup(f"a row of the backup has no {name}") from None


def _array(text: str) -> tuple[str, ...]:
    """A text[] as Postgres writes it."""
    found: list[str] = []
    inside, at, word = text[1:-1], 0, ""
    while at < len(inside):
        if inside[at] == '"':
            at += 1
            while at < len(inside) and inside[at] != '"':
                at += inside[at] == "\\"
                word += inside[at : at + 1]
                at += 1
        elif inside[at] == ",":
            found.append(word)
            word = ""
        else:
            word += inside[at]
        at += 1
    return (*found, word) if inside else ()
