"""What changes of the directory begin and end with: the lock that serializes them, and the word to all processes.

Order of locks, so that none waits in a circle: names of domains, domain, account, mailboxes by id.
"""

from __future__ import annotations

from collections.abc import Collection

from mailraven.db import Connection
from mailraven.directory.address import Address
from mailraven.directory.errors import NoSuchAccount, NoSuchDomain, VersionMismatch

CHANNEL = "mailraven_directory"

# A name is a domain or another name of one. No constraint spans two tables, so who takes a name locks it.
_LOCK_NAMES = """
SELECT pg_advisory_xact_lock(hashtextextended('mailraven domain ' || name, 0)) FROM unnest($1::text[]) AS n(name)
"""


async def notify(connection: Connection) -> None:
    """All processes drop what they remember when the caller's transaction commits."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def lock_names(connection: Connection, names: Collection[str]) -> None:
    """Until the transaction ends nobody else makes a domain or another name of one from these."""
    await connection.execute(_LOCK_NAMES, sorted(set(names)))


async def lock_domain(connection: Connection, name: str) -> int:
    """Serializes changes within a domain: an address cannot become an account and an alias at once."""
    domain_id: int | None = await connection.fetchval("SELECT id FROM domain WHERE name = $1 FOR NO KEY UPDATE", name)
    if domain_id is None:
        raise NoSuchDomain(f"no domain {name}")
    return domain_id


async def lock_account(connection: Connection, address: Address) -> int:
    """The account's id. Raises NoSuchAccount."""
    account_id: int | None = await connection.fetchval(
        "SELECT c.id FROM account c JOIN domain d ON d.id = c.domain_id"
        " WHERE d.name = $1 AND c.localpart = $2 FOR UPDATE OF c",
        address.domain,
        address.localpart,
    )
    if account_id is None:
        raise NoSuchAccount(f"no account {address}")
    return account_id


def check_version(expected: int | None, version: int, what: str) -> None:
    """Raises VersionMismatch."""
    if expected is not None and expected != version:
        raise VersionMismatch(f"{what} has version {version} by now")
