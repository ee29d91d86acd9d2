"""Lists of domains, accounts and aliases, in pages: `after` is the last name of the page before."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mailraven.db import Connection
from mailraven.directory.address import Address, normalize_domain, parse_address
from mailraven.directory.errors import NoSuchAccount
from mailraven.directory.model import Account, Alias, Domain

PAGE = 100
MAX_PAGE = 1001  # the API asks for one more than it shows

_ACCOUNTS = """
SELECT c.id, c.localpart, d.name AS domain, c.display_name, c.suspended, c.quota_bytes, c.created_at,
       (SELECT coalesce(sum(m.bytes), 0)::bigint FROM mailbox m WHERE m.account_id = c.id) AS used_bytes
  FROM account c JOIN domain d ON d.id = c.domain_id
"""


async def list_domains(connection: Connection, *, after: str = "", limit: int = PAGE) -> list[Domain]:
    """By name."""
    rows = await connection.fetch(
        "SELECT id, name, suspended, created_at FROM domain WHERE name > $1 ORDER BY name LIMIT $2",
        after,
        _page(limit),
    )
    return [Domain(**row) for row in rows]


async def list_accounts(connection: Connection, domain: str, *, after: str = "", limit: int = PAGE) -> list[Account]:
    """Of a domain, by localpart."""
    rows = await connection.fetch(
        f"{_ACCOUNTS} WHERE d.name = $1 AND c.localpart > $2 ORDER BY c.localpart LIMIT $3",
        normalize_domain(domain),
        _after(after),
        _page(limit),
    )
    return [_account(row) for row in rows]


async def get_account(connection: Connection, address: str) -> Account:
    """Raises NoSuchAccount."""
    parsed = parse_address(address).canonical
    row = await connection.fetchrow(
        f"{_ACCOUNTS} WHERE d.name = $1 AND c.localpart = $2", parsed.domain, parsed.localpart
    )
    if row is None:
        raise NoSuchAccount(f"no account {parsed}")
    return _account(row)


async def list_aliases(connection: Connection, domain: str, *, after: str = "", limit: int = PAGE) -> list[Alias]:
    """Of a domain, by localpart."""
    name = normalize_domain(domain)
    rows = await connection.fetch(
        "SELECT a.localpart, array_agg(a.target ORDER BY a.target) AS targets"
        "  FROM alias a JOIN domain d ON d.id = a.domain_id"
        " WHERE d.name = $1 AND a.localpart > $2 GROUP BY a.localpart ORDER BY a.localpart LIMIT $3",
        name,
        _after(after),
        _page(limit),
    )
    return [Alias(str(Address(row["localpart"], name)), tuple(row["targets"])) for row in rows]


async def list_all_aliases(
    connection: Connection, domain_ids: Collection[int] | None, *, after: str = "", limit: int = PAGE
) -> list[Alias]:
    """Of these domains (None: of all), by domain and localpart. Raises AddressError for `after`."""
    last = parse_address(after) if after else Address("", "")
    rows = await connection.fetch(
        "SELECT d.name, a.localpart, array_agg(a.target ORDER BY a.target) AS targets"
        "  FROM alias a JOIN domain d ON d.id = a.domain_id"
        " WHERE (d.name, a.localpart) > ($1, $2) AND ($3::bigint[] IS NULL OR a.domain_id = ANY ($3))"
        " GROUP BY d.name, a.localpart ORDER BY d.name, a.localpart LIMIT $4",
        last.domain,
        last.key,
        None if domain_ids is None else list(domain_ids),
        _page(limit),
    )
    return [Alias(str(Address(row["localpart"], row["name"])), tuple(row["targets"])) for row in rows]


async def find_alias(connection: Connection, address: Address) -> Alias | None:
    """By its canonical address."""
    targets = await connection.fetchval(
        "SELECT array_agg(a.target ORDER BY a.target) FROM alias a JOIN domain d ON d.id = a.domain_id"
        " WHERE d.name = $1 AND a.localpart = $2",
        address.domain,
        address.localpart,
    )
    return None if targets is None else Alias(str(address), tuple(targets))


def _account(row: Any) -> Account:
    return Account(
        row["id"],
        str(Address(row["localpart"], row["domain"])),
        row["display_name"],
        row["suspended"],
        row["quota_bytes"],
        row["used_bytes"],
        row["created_at"],
    )


def _after(address: str) -> str:
    return parse_address(address).key if address else ""


def _page(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))
