"""Accounts with rights over domains (domain_admin) or the whole server (account.role)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailraven.db import Connection
from mailraven.directory.address import Address, normalize_domain
from mailraven.directory.errors import NoSuchAccount, NoSuchDomain
from mailraven.directory.locks import notify
from mailraven.directory.roles import Role

_SELECT = """
SELECT c.localpart, d.name AS domain, c.role, c.totp_confirmed_at IS NOT NULL AS totp, c.suspended,
       d.name || '/' || c.localpart AS key,
       ARRAY(SELECT m.name FROM domain m
              WHERE m.id = c.domain_id OR m.id IN (SELECT a.domain_id FROM domain_admin a WHERE a.account_id = c.id)
              ORDER BY m.name) AS domains
  FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE c.role <> 'user'
"""


@dataclass(frozen=True, slots=True)
class Admin:
    """`domains` with his own; of a super-admin empty: all. `key` is what lists are ordered by."""

    address: str
    role: Role
    domains: tuple[str, ...]
    totp: bool
    suspended: bool
    key: str


async def list_admins(connection: Connection, *, after: str = "", limit: int = 100) -> list[Admin]:
    """By domain and localpart; `after` is the key of the last one of the page before."""
    rows = await connection.fetch(
        f"{_SELECT} AND d.name || '/' || c.localpart > $1 ORDER BY d.name || '/' || c.localpart LIMIT $2", after, limit
    )
    return [_admin(row) for row in rows]


async def get_admin(connection: Connection, account_id: int) -> Admin | None:
    """None: a plain user, or no account."""
    row = await connection.fetchrow(f"{_SELECT} AND c.id = $1", account_id)
    return None if row is None else _admin(row)


async def set_role(connection: Connection, account_id: int, role: Role, domains: Sequence[str]) -> None:
    """`domains` of a domain-admin, beside his own. Raises NoSuchAccount, NoSuchDomain, AddressError."""
    names = list(dict.fromkeys(normalize_domain(name) for name in domains))
    status = await connection.execute(
        "UPDATE account SET role = $2, version = version + 1, updated_at = now() WHERE id = $1", account_id, role.value
    )
    if status != "UPDATE 1":
        raise NoSuchAccount("no such account")
    rows = await connection.fetch("SELECT id, name FROM domain WHERE name = ANY ($1) FOR KEY SHARE", names)
    known = {row["name"]: row["id"] for row in rows}
    for name in names:
        if name not in known:
            raise NoSuchDomain(f"no domain {name}")
    await connection.execute("DELETE FROM domain_admin WHERE account_id = $1", account_id)
    await connection.execute(
        "INSERT INTO domain_admin SELECT c.id, m.id FROM account c CROSS JOIN unnest($2::bigint[]) AS m(id)"
        " WHERE c.id = $1 AND m.id <> c.domain_id",
        account_id,
        list(known.values()),
    )
    await notify(connection)


def _admin(row: Any) -> Admin:
    role = Role(row["role"])
    return Admin(
        address=str(Address(row["localpart"], row["domain"])),
        role=role,
        domains=() if role is Role.SUPER_ADMIN else tuple(row["domains"]),
        totp=row["totp"],
        suspended=row["suspended"],
        key=row["key"],
    )
