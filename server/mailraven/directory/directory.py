"""The directory as the daemons see it: who receives, who signs in, who may send as whom.

Answers come from memory where they can; a change anywhere drops it by the 'mailraven_directory' notification.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from mailraven.db import Database
from mailraven.directory import sender_rules
from mailraven.directory.address import Address, make_address, normalize_domain, parse_address
from mailraven.directory.administration import Administration
from mailraven.directory.cache import Cache
from mailraven.directory.errors import AddressError
from mailraven.directory.locks import CHANNEL
from mailraven.directory.login import Logins
from mailraven.directory.model import (
    Identity,
    NotLocalDomain,
    Resolution,
    Route,
    Suspended,
    Targets,
    UnknownRecipient,
)
from mailraven.directory.passwords import Passwords
from mailraven.directory.resolution import POSTMASTER, resolve
from mailraven.directory.standing import Protocol

CACHE_ENTRIES = 10_000
FOUND_SECONDS = 60.0
MISS_SECONDS = 10.0
QUOTA_SECONDS = 5.0  # the usage read with an account that has a quota

# A sender, and the (domain, account) ids that have rules.
_Screening = tuple[str, tuple[tuple[int, int], ...]]

_DOMAIN = """
SELECT name FROM domain WHERE name = $1
UNION ALL
SELECT d.name FROM domain_alias a JOIN domain d ON d.id = a.domain_id WHERE a.name = $1
"""
_FIRST_DOMAIN = "SELECT name FROM domain WHERE NOT suspended ORDER BY id LIMIT 1"


class Directory(Administration):
    """One for a process. Make it before the database's listener starts."""

    def __init__(
        self,
        database: Database,
        *,
        passwords: Passwords | None = None,
        postmaster_domain: str | None = None,
        entries: int = CACHE_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(database, passwords or Passwords())
        self._postmaster_domain = postmaster_domain
        self._logins = Logins(database, self._passwords, clock=clock)
        self._resolutions: Cache[Address, Resolution] = Cache(
            self._resolve, lifetime=_lifetime, is_miss=_is_miss, entries=entries, clock=clock
        )
        self._domains: Cache[str, str | None] = Cache(
            self._domain_of,
            lifetime=lambda _: FOUND_SECONDS,
            is_miss=lambda found: found is None,
            entries=entries,
            clock=clock,
        )
        self._blocking: Cache[_Screening, frozenset[int]] = Cache(
            self._read_blocking,
            lifetime=lambda _: FOUND_SECONDS,
            is_miss=lambda found: not found,
            entries=entries,
            clock=clock,
        )
        database.listener.subscribe(CHANNEL, self._changed)

    async def resolve(self, address: str) -> Resolution:
        """Where mail for `address` goes. Raises DirectoryUnavailable, nothing else.

        `postmaster` without a domain is that of the configured, else of our first domain (RFC 5321 §4.5.1).
        """
        try:
            parsed = parse_address(address) if "@" in address else await self._bare(address)
        except AddressError:
            parsed = None
        if parsed is None:
            return UnknownRecipient()
        # Foreign domains are remembered as domains: a client's many recipients there cost one query.
        domain = await self._domains.get(parsed.domain)
        if domain is None:
            return NotLocalDomain()
        return await self._resolutions.get(Address(parsed.key, domain))

    async def resolve_from(self, sender: str, address: str) -> Resolution:
        """The same for mail of an envelope sender: Blocked, or without the accounts that do not take his mail.

        Postmaster takes everybody's (RFC 5321 §4.5.1). Raises DirectoryUnavailable, nothing else.
        """
        found = await self.resolve(address)
        if not isinstance(found, Targets) or not found.screened or not sender:
            return found
        blocked = await self._blocking.get((sender, found.screened))
        if not blocked or address.partition("@")[0].lower() == POSTMASTER:
            return found
        parsed = parse_address(address)
        domain = await self._domains.get(parsed.domain)
        async with self._read() as connection:
            return await resolve(connection, Address(parsed.key, domain or parsed.domain), blocked)

    async def is_local_domain(self, name: str) -> bool:
        """Whether the domain, or the one it is another name of, is ours, suspended or not. Raises
        DirectoryUnavailable.
        """
        try:
            return await self._domains.get(normalize_domain(name)) is not None
        except AddressError:
            return False

    async def authenticate(self, login: str, password: str, *, protocol: Protocol) -> Identity | None:
        """None: no, for whatever reason, after the same time. Raises DirectoryUnavailable: try later.

        An app password opens smtp and imap. The account's own opens them too, unless a second factor is set or
        demanded. For http the caller asks for the second factor himself: see mailraven.directory.totp.
        """
        return await self._logins.authenticate(login, password, protocol)

    async def still_valid(self, identity: Identity, protocol: Protocol) -> bool:
        """Whether a session that `identity` began may go on: as of 20 s ago at most. Raises DirectoryUnavailable."""
        return await self._logins.still_valid(identity, protocol)

    async def ended(self, identities: Iterable[Identity], protocol: Protocol) -> set[Identity]:
        """Of many, those whose sessions have to end. Raises DirectoryUnavailable."""
        return await self._logins.ended(identities, protocol)

    async def is_password(self, account_id: int, password: str) -> bool:
        """Whether it is the account's own, asked again before credentials change. Raises DirectoryUnavailable."""
        return await self._logins.is_password(account_id, password)

    async def may_send_as(self, account_id: int, address: str) -> bool:
        """RFC 6409 §6.1: the account's own address, with any tag, and aliases that lead to it.

        Not what only a catch-all brings: otherwise its owner could write as anybody who does not exist. Nor what is
        forwarded to it.
        """
        resolution = await self.resolve(address)
        if isinstance(resolution, Suspended):  # only receiving is switched off
            return account_id in resolution.owners
        return (
            isinstance(resolution, Targets)
            and resolution.route in (Route.ACCOUNT, Route.ALIAS)
            and account_id in resolution.owners
        )

    def invalidate(self) -> None:
        """Forget everything that came from the database."""
        self._resolutions.clear()
        self._domains.clear()
        self._blocking.clear()
        self._logins.clear()

    async def close(self) -> None:
        """End look-ups and hashes; the database stays open."""
        self._database.listener.unsubscribe(CHANNEL, self._changed)
        await self._logins.close()
        await self._resolutions.close()
        await self._domains.close()
        await self._blocking.close()
        self._passwords.close()

    def _changed(self, _payload: str | None) -> None:
        self.invalidate()

    async def _bare(self, localpart: str) -> Address | None:
        if localpart.lower() != POSTMASTER:
            return None
        domain = self._postmaster_domain
        if domain is None:
            async with self._read() as connection:
                domain = await connection.fetchval(_FIRST_DOMAIN)
        return None if domain is None else make_address(POSTMASTER, domain)

    async def _resolve(self, address: Address) -> Resolution:
        async with self._read() as connection:
            return await resolve(connection, address)

    async def _domain_of(self, name: str) -> str | None:
        async with self._read() as connection:
            found: str | None = await connection.fetchval(_DOMAIN, name)
        return found

    async def _read_blocking(self, asked: _Screening) -> frozenset[int]:
        async with self._read() as connection:
            found = await sender_rules.blocking(connection, *asked)
        return frozenset(account_id for _, account_id in found)


def _is_miss(resolution: Resolution) -> bool:
    return not isinstance(resolution, Targets)


def _lifetime(resolution: Resolution) -> float:
    match resolution:
        case Targets(accounts=accounts) if any(account.quota_bytes is not None for account in accounts):
            return QUOTA_SECONDS
        case Targets() | NotLocalDomain():
            return FOUND_SECONDS
        case _:
            return MISS_SECONDS
