"""Changes of domains, accounts and aliases, inside the caller's transaction.

Each tells all processes with its commit: these are rare, so NOTIFY may stand in the transaction here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mailraven.db import Connection
from mailraven.directory.address import Address, normalize_domain, parse_address
from mailraven.directory.errors import (
    AccountExists,
    AddressError,
    AliasExists,
    DomainExists,
    InvalidValue,
    NoSuchAccount,
    NoSuchAlias,
    NoSuchDomain,
    NotEmpty,
)
from mailraven.directory.model import Account, Alias, Domain
from mailraven.directory.resolution import CATCH_ALL

CHANNEL = "mailraven_directory"
ALIAS_TARGETS = 1000
NAME_CHARACTERS = 200
_BIGINT = 2**63

# RFC 6154 special-use; INBOX first, as the client lists them.
FIRST_MAILBOXES = (
    ("INBOX", None),
    ("Sent", r"\Sent"),
    ("Drafts", r"\Drafts"),
    ("Trash", r"\Trash"),
    ("Junk", r"\Junk"),
    ("Archive", r"\Archive"),
)

_CREATE_ACCOUNT = """
WITH new AS (
    INSERT INTO account (domain_id, localpart, display_name, password_hash, quota_bytes, uidvalidity_next)
    VALUES ($1, $2, $3, $4, $5, extract(epoch FROM now())::bigint + cardinality($6::text[]))
    ON CONFLICT (domain_id, localpart) DO NOTHING
    RETURNING id, uidvalidity_next - cardinality($6::text[]) AS uidvalidity, created_at
), first AS (
    SELECT * FROM unnest($6::text[], $7::text[]) WITH ORDINALITY AS m(name, special_use, nth)
), mailboxes AS (
    INSERT INTO mailbox (account_id, name, special_use, uidvalidity)
    SELECT new.id, first.name, first.special_use, new.uidvalidity + first.nth - 1
      FROM new, first ORDER BY first.nth
), subscriptions AS (
    INSERT INTO subscription (account_id, name) SELECT new.id, first.name FROM new, first
)
SELECT id, created_at FROM new
"""


async def create_domain(connection: Connection, name: str) -> Domain:
    """Raises DomainExists, AddressError."""
    name = normalize_domain(name)
    if name.startswith("["):
        raise AddressError("an address literal cannot be a domain of this server")
    row = await connection.fetchrow(
        "INSERT INTO domain (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id, created_at", name
    )
    if row is None:
        raise DomainExists(f"domain {name} exists")
    await notify(connection)
    return Domain(row["id"], name, False, row["created_at"])


async def set_domain_suspended(connection: Connection, name: str, suspended: bool) -> None:
    """A suspended domain receives nothing and nobody of it signs in. Raises NoSuchDomain."""
    name = normalize_domain(name)
    status = await connection.execute("UPDATE domain SET suspended = $2 WHERE name = $1", name, suspended)
    if status != "UPDATE 1":
        raise NoSuchDomain(f"no domain {name}")
    await notify(connection)


async def delete_domain(connection: Connection, name: str) -> None:
    """With its aliases; a domain that has accounts stays. Raises NoSuchDomain, NotEmpty."""
    name = normalize_domain(name)
    domain_id = await _lock_domain(connection, name)
    if await connection.fetchval("SELECT EXISTS (SELECT FROM account WHERE domain_id = $1)", domain_id):
        raise NotEmpty(f"domain {name} has accounts")
    await connection.execute("DELETE FROM domain WHERE id = $1", domain_id)
    await notify(connection)


async def create_account(
    connection: Connection,
    address: str,
    password_hash: str | None,
    *,
    display_name: str = "",
    quota_bytes: int | None = None,
) -> Account:
    """With INBOX and special-use mailboxes. Raises AccountExists, AliasExists, NoSuchDomain, InvalidValue."""
    parsed = parse_address(address).canonical
    _check_account(parsed, display_name, quota_bytes)
    domain_id = await _lock_domain(connection, parsed.domain)
    if await _alias_exists(connection, domain_id, parsed):
        raise AliasExists(f"{parsed} is an alias")
    row = await connection.fetchrow(
        _CREATE_ACCOUNT,
        domain_id,
        parsed.localpart,
        display_name,
        password_hash,
        quota_bytes,
        [name for name, _ in FIRST_MAILBOXES],
        [special_use for _, special_use in FIRST_MAILBOXES],
    )
    if row is None:
        raise AccountExists(f"account {parsed} exists")
    await notify(connection)
    return Account(row["id"], str(parsed), display_name, False, quota_bytes, 0, row["created_at"])


async def set_password_hash(connection: Connection, address: str, password_hash: str | None) -> None:
    """None: no login by password. Raises NoSuchAccount."""
    await _update_account(connection, address, "password_hash = $3", password_hash)


async def set_suspended(connection: Connection, address: str, suspended: bool) -> None:
    """A suspended account receives nothing and does not sign in. Raises NoSuchAccount."""
    await _update_account(connection, address, "suspended = $3", suspended)


async def set_quota(connection: Connection, address: str, quota_bytes: int | None) -> None:
    """None: unlimited. Raises NoSuchAccount, InvalidValue."""
    _check_quota(quota_bytes)
    await _update_account(connection, address, "quota_bytes = $3", quota_bytes)


async def delete_account(connection: Connection, address: str) -> None:
    """Its mailboxes too, when they are empty. Raises NoSuchAccount, NotEmpty."""
    account_id = await _lock_account(connection, parse_address(address).canonical)
    # The mailboxes are locked as a delivery locks them: none can slip in between the check and the end.
    held = await connection.fetch(
        "SELECT messages FROM mailbox WHERE account_id = $1 ORDER BY id FOR UPDATE", account_id
    )
    if any(row["messages"] for row in held):
        raise NotEmpty(f"account {address} holds mail")
    await connection.execute("DELETE FROM mailbox WHERE account_id = $1", account_id)
    await connection.execute("DELETE FROM account WHERE id = $1", account_id)
    await notify(connection)


async def create_alias(connection: Connection, address: str, targets: Sequence[str]) -> Alias:
    """Localpart `*` is the catch-all. Raises AliasExists, AccountExists, NoSuchDomain, InvalidValue."""
    parsed = parse_address(address).canonical
    goals = _alias_targets(parsed, targets)
    domain_id = await _lock_domain(connection, parsed.domain)
    if await _alias_exists(connection, domain_id, parsed):
        raise AliasExists(f"alias {parsed} exists")
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM account WHERE domain_id = $1 AND localpart = $2)",
        domain_id,
        parsed.localpart,
    ):
        raise AccountExists(f"{parsed} is an account")
    await connection.execute(
        "INSERT INTO alias (domain_id, localpart, target) SELECT $1, $2, unnest($3::text[])",
        domain_id,
        parsed.localpart,
        goals,
    )
    await notify(connection)
    return Alias(str(parsed), tuple(goals))


async def delete_alias(connection: Connection, address: str) -> None:
    """With all its targets. Raises NoSuchAlias."""
    parsed = parse_address(address).canonical
    status = await connection.execute(
        "DELETE FROM alias a USING domain d WHERE d.id = a.domain_id AND d.name = $1 AND a.localpart = $2",
        parsed.domain,
        parsed.localpart,
    )
    if status == "DELETE 0":
        raise NoSuchAlias(f"no alias {parsed}")
    await notify(connection)


async def notify(connection: Connection) -> None:
    """All processes drop what they remember when the caller's transaction commits."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def _lock_domain(connection: Connection, name: str) -> int:
    # Serializes changes within a domain: an address cannot become an account and an alias at once.
    domain_id: int | None = await connection.fetchval("SELECT id FROM domain WHERE name = $1 FOR NO KEY UPDATE", name)
    if domain_id is None:
        raise NoSuchDomain(f"no domain {name}")
    return domain_id


async def _lock_account(connection: Connection, address: Address) -> int:
    account_id: int | None = await connection.fetchval(
        "SELECT c.id FROM account c JOIN domain d ON d.id = c.domain_id"
        " WHERE d.name = $1 AND c.localpart = $2 FOR UPDATE OF c",
        address.domain,
        address.localpart,
    )
    if account_id is None:
        raise NoSuchAccount(f"no account {address}")
    return account_id


async def _update_account(connection: Connection, address: str, assignment: str, value: object) -> None:
    parsed = parse_address(address).canonical
    status = await connection.execute(
        f"UPDATE account c SET {assignment} FROM domain d"  # noqa: S608 - the assignment is written in this module
        " WHERE d.id = c.domain_id AND d.name = $1 AND c.localpart = $2",
        parsed.domain,
        parsed.localpart,
        value,
    )
    if status != "UPDATE 1":
        raise NoSuchAccount(f"no account {parsed}")
    await notify(connection)


async def _alias_exists(connection: Connection, domain_id: int, address: Address) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM alias WHERE domain_id = $1 AND localpart = $2)",
        domain_id,
        address.localpart,
    )
    return found


def _check_account(address: Address, display_name: str, quota_bytes: int | None) -> None:
    if address.localpart == CATCH_ALL:
        raise AddressError("* is the catch-all alias, not an account")
    if "+" in address.localpart:  # RFC 5233: it would take the mail of another account's tag
        raise AddressError("the address of an account has no +: what follows it is a tag")
    if len(display_name) > NAME_CHARACTERS:
        raise InvalidValue(f"display name is over {NAME_CHARACTERS} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in display_name):
        raise InvalidValue("display name holds a control character")
    _check_quota(quota_bytes)


def _check_quota(quota_bytes: int | None) -> None:
    if quota_bytes is not None and not 0 < quota_bytes < _BIGINT:
        raise InvalidValue("a quota is a number of octets above 0")


def _alias_targets(alias: Address, targets: Sequence[str]) -> list[str]:
    if not 1 <= len(targets) <= ALIAS_TARGETS:
        raise InvalidValue(f"an alias has 1 to {ALIAS_TARGETS} targets")
    parsed = dict.fromkeys(parse_address(target) for target in targets)
    if any(target.canonical == alias for target in parsed):
        raise InvalidValue(f"alias {alias} points at itself")
    return [str(target) for target in parsed]
