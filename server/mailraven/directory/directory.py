"""The directory as the daemons see it: who receives, who signs in, who may send as whom.

Answers come from memory where they can; a change anywhere drops it by the 'mailraven_directory' notification.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mailraven.db import Database
from mailraven.directory.address import Address, make_address, normalize_domain, parse_address
from mailraven.directory.administration import Administration
from mailraven.directory.cache import Cache
from mailraven.directory.changes import CHANNEL
from mailraven.directory.errors import AddressError
from mailraven.directory.login import Logins
from mailraven.directory.model import (
    Identity,
    NotLocalDomain,
    Resolution,
    Route,
    Targets,
    UnknownRecipient,
)
from mailraven.directory.passwords import Passwords
from mailraven.directory.resolution import POSTMASTER, resolve

CACHE_ENTRIES = 10_000
FOUND_SECONDS = 60.0
MISS_SECONDS = 10.0
QUOTA_SECONDS = 5.0  # the usage read with an account that has a quota

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
        self._domains: Cache[str, bool] = Cache(
            self._domain_exists,
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
        if not await self._domains.get(parsed.domain):
            return NotLocalDomain()
        return await self._resolutions.get(parsed.canonical)

    async def is_local_domain(self, name: str) -> bool:
        """Whether the domain is ours, suspended or not. Raises DirectoryUnavailable."""
        try:
            return await self._domains.get(normalize_domain(name))
        except AddressError:
            return False

    async def authenticate(self, login: str, password: str) -> Identity | None:
        """None: no, for whatever reason, after the same time. Raises DirectoryUnavailable: try later."""
        return await self._logins.authenticate(login, password)

    async def may_send_as(self, account_id: int, address: str) -> bool:
        """RFC 6409 §6.1: the account's own address, with any tag, and aliases that lead to it.

        Not what only a catch-all brings: otherwise its owner could write as anybody who does not exist.
        """
        resolution = await self.resolve(address)
        return (
            isinstance(resolution, Targets)
            and resolution.route in (Route.ACCOUNT, Route.ALIAS)
            and any(account.account_id == account_id for account in resolution.accounts)
        )

    def invalidate(self) -> None:
        """Forget everything that came from the database."""
        self._resolutions.clear()
        self._domains.clear()
        self._logins.clear()

    async def close(self) -> None:
        """End look-ups and hashes; the database stays open."""
        self._database.listener.unsubscribe(CHANNEL, self._changed)
        await self._logins.close()
        await self._resolutions.close()
        await self._domains.close()
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

    async def _domain_exists(self, name: str) -> bool:
        async with self._read() as connection:
            found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM domain WHERE name = $1)", name)
        return found


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
