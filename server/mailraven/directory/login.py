"""Who signs in with a login and a password, and the short memory of logins that were verified."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mailraven.db import Database, DatabaseUnavailable
from mailraven.directory.address import Address, parse_address
from mailraven.directory.cache import Cache
from mailraven.directory.errors import AddressError, DirectoryUnavailable
from mailraven.directory.model import Identity
from mailraven.directory.passwords import Passwords

VERIFIED_SECONDS = 300.0
VERIFIED_ENTRIES = 10_000
ROW_SECONDS = 60.0  # how long a change may go unseen when its notification was lost
UNKNOWN_SECONDS = 10.0

_log = structlog.get_logger(component="directory")

_ACCOUNT = """
SELECT c.id, c.display_name, c.password_hash, c.suspended OR d.suspended AS suspended
  FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE c.localpart = $1 AND d.name = $2
"""


@dataclass(frozen=True, slots=True)
class _Credentials:
    identity: Identity
    password_hash: str | None
    suspended: bool


class Logins:
    """Verifies logins. A change of an account drops what is remembered (`clear`)."""

    def __init__(
        self, database: Database, passwords: Passwords, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._in_flight: dict[bytes, asyncio.Task[bool]] = {}
        self._rows: Cache[Address, _Credentials | None] = Cache(
            self._read,
            lifetime=lambda row: UNKNOWN_SECONDS if row is None else ROW_SECONDS,
            is_miss=lambda row: row is None,
            entries=VERIFIED_ENTRIES,
            clock=clock,
        )

    async def authenticate(self, login: str, password: str) -> Identity | None:
        """The login is the account's address. Raises DirectoryUnavailable: not wrong, try later."""
        try:
            address: Address | None = parse_address(login).canonical
        except AddressError:
            address = None
        row = None if address is None else await self._rows.get(address)
        stored = None if row is None else row.password_hash
        # Bound to the stored hash: a new password makes the memory of the old one worthless.
        proof = self._proof(login if address is None else str(address), stored, password)
        if not await self._verify_once(proof, row, password):
            return None
        if address is None or row is None or row.suspended:
            return None
        return row.identity

    def clear(self) -> None:
        """Something changed in the directory."""
        self._rows.clear()
        self._verified.clear()

    async def close(self) -> None:
        """End what is under way."""
        await self._rows.close()
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _verify_once(self, proof: bytes, row: _Credentials | None, password: str) -> bool:
        expires = self._verified.get(proof)
        if expires is not None:
            if self._clock() < expires:
                return True
            del self._verified[proof]
        # A client that opens several connections at once costs one hash; the same for a wrong password.
        task = self._in_flight.get(proof)
        if task is None:
            task = asyncio.create_task(self._verify(proof, row, password))
            self._in_flight[proof] = task
            task.add_done_callback(lambda done: self._finished(proof, done))
        return await asyncio.shield(task)

    async def _verify(self, proof: bytes, row: _Credentials | None, password: str) -> bool:
        if not await self._passwords.verify(row.password_hash if row else None, password):
            return False
        self._verified[proof] = self._clock() + VERIFIED_SECONDS
        if len(self._verified) > VERIFIED_ENTRIES:
            self._verified.popitem(last=False)
        if row is not None and row.password_hash is not None:
            await self._renew(row.identity.account_id, row.password_hash, password)
        return True

    async def _renew(self, account_id: int, stored: str, password: str) -> None:
        """Hash again when the stored hash has outdated parameters. If that fails, the next login tries."""
        try:
            renewed = await self._passwords.rehash(stored, password)
            if renewed is None:
                return
            async with self._database.acquire() as connection:
                # Bound to the old hash: a password set meanwhile stays.
                await connection.execute(
                    "UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
                    account_id,
                    stored,
                    renewed,
                )
        except (DatabaseUnavailable, DirectoryUnavailable) as error:
            _log.warning("password hash not renewed", error=type(error).__name__)

    def _finished(self, proof: bytes, task: asyncio.Task[bool]) -> None:
        self._in_flight.pop(proof, None)
        if not task.cancelled():
            task.exception()

    def _proof(self, login: str, stored: str | None, password: str) -> bytes:
        parts = (login, stored or "", password)
        octets = [part.encode(errors="surrogatepass") for part in parts]
        text = b"".join(len(part).to_bytes(8) + part for part in octets)
        return hmac.digest(self._key, text, "sha256")

    async def _read(self, address: Address) -> _Credentials | None:
        try:
            async with self._database.acquire() as connection:
                row = await connection.fetchrow(_ACCOUNT, address.key, address.domain)
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable("the directory is not available") from error
        if row is None:
            return None
        identity = Identity(row["id"], str(address), row["display_name"])
        return _Credentials(identity, row["password_hash"], row["suspended"])
