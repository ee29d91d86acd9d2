"""Accounts as the API shows them, in pages by domain and localpart, and what an account holds."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mailraven.db import Connection
from mailraven.directory.address import Address, parse_address
from mailraven.directory.errors import NoSuchAccount
from mailraven_api.account import Account, MailboxUsage, Usage

_SELECT = """
SELECT c.id, c.localpart, d.name AS domain, c.display_name, c.role, c.suspended, c.disabled, c.quota_bytes, c.limits,
       c.labels, c.forwarding, c.vacation, c.sending_held, c.password_hash IS NOT NULL AS has_password,
       c.totp_confirmed_at IS NOT NULL AS totp, c.version, c.created_at, c.updated_at,
       held.used_bytes, held.messages
  FROM account c JOIN domain d ON d.id = c.domain_id
 CROSS JOIN LATERAL (SELECT coalesce(sum(m.bytes), 0)::bigint AS used_bytes,
                            coalesce(sum(m.messages), 0)::bigint AS messages
                       FROM mailbox m WHERE m.account_id = c.id) held
"""


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """What a list is to show. `domain_ids`: only in these; None: in all."""

    domain: str | None = None
    query: str = ""
    role: str | None = None
    suspended: bool | None = None
    domain_ids: Collection[int] | None = None


async def show_account(connection: Connection, account_id: int) -> Account:
    """Raises NoSuchAccount."""
    row = await connection.fetchrow(f"{_SELECT} WHERE c.id = $1", account_id)
    if row is None:
        raise NoSuchAccount("the account is gone")
    return _account(row)


async def show_accounts(
    connection: Connection, wanted: AccountFilter, *, after: str = "", limit: int = 100
) -> list[Account]:
    """By domain and localpart; `after` is the last address of the page before. Raises AddressError for it."""
    last = parse_address(after) if after else Address("", "")
    rows = await connection.fetch(
        f"{_SELECT} WHERE (d.name, c.localpart) > ($1, $2) AND ($3::text IS NULL OR d.name = $3)"
        " AND ($4 = '' OR strpos(c.localpart || '@' || d.name, $4) > 0 OR strpos(lower(c.display_name), $4) > 0)"
        " AND ($5::text IS NULL OR c.role = $5) AND ($6::boolean IS NULL OR c.suspended = $6)"
        " AND ($7::bigint[] IS NULL OR c.domain_id = ANY ($7)) ORDER BY d.name, c.localpart LIMIT $8",
        last.domain,
        last.localpart,
        wanted.domain,
        wanted.query.lower(),
        wanted.role,
        wanted.suspended,
        None if wanted.domain_ids is None else list(wanted.domain_ids),
        limit,
    )
    return [_account(row) for row in rows]


async def show_usage(connection: Connection, account_id: int) -> Usage:
    """Octets and messages for each mailbox. Raises NoSuchAccount."""
    rows = await connection.fetch(
        "SELECT c.quota_bytes, m.name, m.messages, m.unseen, m.bytes"
        "  FROM account c LEFT JOIN mailbox m ON m.account_id = c.id WHERE c.id = $1 ORDER BY m.name",
        account_id,
    )
    if not rows:
        raise NoSuchAccount("the account is gone")
    mailboxes = tuple(
        MailboxUsage(name=row["name"], messages=row["messages"], unseen=row["unseen"], bytes=row["bytes"])
        for row in rows
        if row["name"] is not None
    )
    return Usage(
        used_bytes=sum(mailbox.bytes for mailbox in mailboxes),
        quota_bytes=rows[0]["quota_bytes"],
        messages=sum(mailbox.messages for mailbox in mailboxes),
        mailboxes=mailboxes,
    )


def _account(row: Any) -> Account:
    values = dict(row)
    del values["id"]
    address = Address(values.pop("localpart"), values["domain"])
    for name in ("limits", "labels", "forwarding", "vacation"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Account.model_validate({"address": str(address), **values})
