"""Making and removing accounts, and single changes of one, inside the caller's transaction."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mailraven.db import Connection
from mailraven.directory.address import Address, parse_address
from mailraven.directory.aliases import alias_exists
from mailraven.directory.domain_specs import CATCH_ALL, StoredDomain, read_domain
from mailraven.directory.errors import (
    AccountExists,
    AddressError,
    AliasExists,
    InvalidValue,
    NoSuchAccount,
    NotEmpty,
    TooManyAccounts,
)
from mailraven.directory.locks import lock_account, notify
from mailraven.directory.model import Account

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

_CREATE = """
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


async def create_account(
    connection: Connection,
    address: str,
    password_hash: str | None,
    *,
    display_name: str = "",
    quota_bytes: int | None = None,
    default_quota: bool = True,
) -> Account:
    """With INBOX and special-use mailboxes; without a quota it gets its domain's default, unless that is not wanted.

    Raises AccountExists, AliasExists, NoSuchDomain, TooManyAccounts, InvalidValue.
    """
    parsed = parse_address(address).canonical
    check_address(parsed)
    check_display_name(display_name)
    check_quota(quota_bytes)
    domain = await read_domain(connection, parsed.domain, lock=True)
    if await alias_exists(connection, domain.id, parsed):
        raise AliasExists(f"{parsed} is an alias")
    if quota_bytes is None and default_quota:
        quota_bytes = domain.effective.default_quota_bytes
    row = await connection.fetchrow(
        _CREATE,
        domain.id,
        parsed.localpart,
        display_name,
        password_hash,
        quota_bytes,
        [name for name, _ in FIRST_MAILBOXES],
        [special_use for _, special_use in FIRST_MAILBOXES],
    )
    if row is None:
        raise AccountExists(f"account {parsed} exists")
    await _check_room(connection, domain)
    await notify(connection)
    return Account(row["id"], str(parsed), display_name, False, quota_bytes, 0, row["created_at"])


async def set_password_hash(connection: Connection, address: str, password_hash: str | None) -> None:
    """None: no login by password. Sessions end. Raises NoSuchAccount."""
    assignment = "password_hash = $3, credential_version = c.credential_version + 1"
    await _update(connection, address, assignment, password_hash)


async def set_suspended(connection: Connection, address: str, suspended: bool) -> None:
    """A suspended account receives nothing and does not sign in; sessions end. Raises NoSuchAccount."""
    assignment = "suspended = $3, credential_version = c.credential_version + 1"
    await _update(connection, address, assignment, suspended)


async def set_quota(connection: Connection, address: str, quota_bytes: int | None) -> None:
    """None: unlimited. Raises NoSuchAccount, InvalidValue."""
    check_quota(quota_bytes)
    await _update(connection, address, "quota_bytes = $3", quota_bytes)


async def set_role(connection: Connection, address: str, role: str) -> None:
    """`user`, `domain-admin` or `super-admin`; sessions end. Raises NoSuchAccount."""
    await _update(connection, address, "role = $3, credential_version = c.credential_version + 1", role)


async def delete_account(connection: Connection, address: str) -> None:
    """Its mailboxes too, when they are empty. Raises NoSuchAccount, NotEmpty."""
    account_id = await lock_account(connection, parse_address(address).canonical)
    # The mailboxes are locked as a delivery locks them: none can slip in between the check and the end.
    held = await connection.fetch(
        "SELECT messages FROM mailbox WHERE account_id = $1 ORDER BY id FOR UPDATE", account_id
    )
    if any(row["messages"] for row in held):
        raise NotEmpty(f"account {address} holds mail")
    await connection.execute("DELETE FROM mailbox WHERE account_id = $1", account_id)
    await connection.execute(
        "DELETE FROM sender_rule r USING account c"
        " WHERE c.id = $1 AND r.domain_id = c.domain_id AND r.account_id = c.id",
        account_id,
    )
    await connection.execute("DELETE FROM account WHERE id = $1", account_id)
    await notify(connection)


def check_address(address: Address) -> None:
    """Raises AddressError for what no account can be called."""
    if address.localpart == CATCH_ALL:
        raise AddressError("* is the catch-all alias, not an account")
    if "+" in address.localpart:  # RFC 5233: it would take the mail of another account's tag
        raise AddressError("the address of an account has no +: what follows it is a tag")


def check_display_name(name: str) -> None:
    """Raises InvalidValue."""
    if len(name) > NAME_CHARACTERS:
        raise InvalidValue(f"display name is over {NAME_CHARACTERS} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in name):
        raise InvalidValue("display name holds a control character")


def check_quota(quota_bytes: int | None) -> None:
    """Raises InvalidValue."""
    if quota_bytes is not None and not 0 < quota_bytes < _BIGINT:
        raise InvalidValue("a quota is a number of octets above 0")


def check_targets(owner: Address, targets: Sequence[str]) -> list[str]:
    """Where mail of an account is forwarded, as it is stored. Raises AddressError, InvalidValue."""
    parsed = dict.fromkeys(parse_address(target) for target in targets)
    if any(target.canonical.without_tag == owner for target in parsed):
        raise InvalidValue("forwarding to the account itself: that is what keep_copy is for")
    return [str(target) for target in parsed]


async def _check_room(connection: Connection, domain: StoredDomain) -> None:
    """With the new account; the domain is locked, so that two cannot take the last place."""
    allowed = domain.effective.max_users
    if allowed is None:
        return
    if await connection.fetchval("SELECT count(*) FROM account WHERE domain_id = $1", domain.id) > allowed:
        raise TooManyAccounts(f"domain {domain.name} has all the {allowed} accounts that it may have (max_users)")


async def _update(connection: Connection, address: str, assignment: str, value: object) -> None:
    parsed = parse_address(address).canonical
    status = await connection.execute(
        f"UPDATE account c SET {assignment}, version = c.version + 1, updated_at = now() FROM domain d"  # noqa: S608 - names written in the program
        " WHERE d.id = c.domain_id AND d.name = $1 AND c.localpart = $2",
        parsed.domain,
        parsed.localpart,
        value,
    )
    if status != "UPDATE 1":
        raise NoSuchAccount(f"no account {parsed}")
    await notify(connection)
