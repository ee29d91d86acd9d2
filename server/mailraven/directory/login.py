"""Who signs in with a login and a password, and the short memory of logins that were verified."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from mailraven.db import Database, DatabaseUnavailable
from mailraven.directory import codes
from mailraven.directory.address import Address, parse_address
from mailraven.directory.app_passwords import LastUse
from mailraven.directory.cache import Cache
from mailraven.directory.errors import AddressError, DirectoryUnavailable
from mailraven.directory.model import Identity
from mailraven.directory.passwords import Passwords
from mailraven.directory.standing import Protocol, Standing, read_standing, read_standings

VERIFIED_SECONDS = 300.0
VERIFIED_ENTRIES = 10_000
ROW_SECONDS = 20.0  # how long a change may go unseen when its notification was lost
UNKNOWN_SECONDS = 10.0
_BATCH = 500

_log = structlog.get_logger(component="directory")


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
        self._last_use = LastUse(database)
        self._rows: Cache[Address, Standing | None] = Cache(
            self._read,
            lifetime=lambda row: UNKNOWN_SECONDS if row is None else ROW_SECONDS,
            is_miss=lambda row: row is None,
            entries=VERIFIED_ENTRIES,
            clock=clock,
        )

    async def authenticate(self, login: str, password: str, protocol: Protocol) -> Identity | None:
        """The login is the account's address. Raises DirectoryUnavailable: not wrong, try later.

        Every no costs the same look-up, the same digest and one password hash, whatever the reason.
        """
        address = _address(login)
        row = None if address is None else await self._rows.get(address)
        sha256 = codes.digest(password)
        admitted = row is not None and row.admits(protocol)
        if row is not None and admitted and (found := row.app_password(sha256, protocol, self._clock())):
            self._last_use.mark(row.identity.account_id, found.id)
            return replace(row.identity, app_password=found.id)
        # Who would not get in with the right password either learns nothing from the time of the answer:
        # neither the memory of good logins is asked, nor is a hash renewed.
        allowed = admitted and row is not None and row.takes_password(protocol)
        verified = await self._verify_once(login if address is None else str(address), row, password, allowed)
        return row.identity if row is not None and allowed and verified else None

    async def still_valid(self, identity: Identity, protocol: Protocol) -> bool:
        """Whether a session that `identity` began may go on: from memory, at most 20 s old."""
        row = await self._rows.get(parse_address(identity.address).canonical)
        return row is not None and row.keeps(identity, protocol, self._clock())

    async def ended(self, identities: Iterable[Identity], protocol: Protocol) -> set[Identity]:
        """Those whose sessions have to end, asked of the database for many at a time."""
        asked = list(set(identities))
        ended: set[Identity] = set()
        for first in range(0, len(asked), _BATCH):
            batch = asked[first : first + _BATCH]
            found = await self._read_many([one.account_id for one in batch])
            for one in batch:
                row = found.get(one.account_id)
                if row is None or not row.keeps(one, protocol, self._clock()):
                    ended.add(one)
        return ended

    async def is_password(self, account_id: int, password: str) -> bool:
        """Whether it is the account's own: asked again before a change of credentials, so never from memory."""
        found = await self._read_many([account_id])
        row = found.get(account_id)
        return await self._passwords.verify(None if row is None else row.password_hash, password)

    def clear(self) -> None:
        """Something changed in the directory. Verified logins stay: they are bound to the hash of then."""
        self._rows.clear()

    async def close(self) -> None:
        """End what is under way."""
        await self._last_use.close()
        await self._rows.close()
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _verify_once(self, login: str, row: Standing | None, password: str, allowed: bool) -> bool:
        # Bound to the stored hash: a new password makes the memory of the old one worthless.
        stored = None if row is None else row.password_hash
        proof = self._proof(login, stored or "", password, "allowed" if allowed else "")
        expires = self._verified.get(proof)
        if expires is not None:
            if self._clock() < expires:
                return True
            del self._verified[proof]
        # A client that opens several connections at once costs one hash; the same for a wrong password.
        task = self._in_flight.get(proof)
        if task is None:
            task = asyncio.create_task(self._verify(proof, row, password, allowed))
            self._in_flight[proof] = task
            task.add_done_callback(lambda done: self._finished(proof, done))
        return await asyncio.shield(task)

    async def _verify(self, proof: bytes, row: Standing | None, password: str, allowed: bool) -> bool:
        if not await self._passwords.verify(row.password_hash if row else None, password):
            return False
        if not allowed or row is None or row.password_hash is None:
            return True
        self._verified[proof] = self._clock() + VERIFIED_SECONDS
        if len(self._verified) > VERIFIED_ENTRIES:
            self._verified.popitem(last=False)
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

    def _proof(self, *parts: str) -> bytes:
        octets = [part.encode(errors="surrogatepass") for part in parts]
        text = b"".join(len(part).to_bytes(8) + part for part in octets)
        return hmac.digest(self._key, text, "sha256")

    async def _read(self, address: Address) -> Standing | None:
        try:
            async with self._database.acquire() as connection:
                return await read_standing(connection, address, self._clock())
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable("the directory is not available") from error

    async def _read_many(self, account_ids: Sequence[int]) -> dict[int, Standing]:
        try:
            async with self._database.acquire() as connection:
                return await read_standings(connection, account_ids, self._clock())
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable("the directory is not available") from error


def _address(login: str) -> Address | None:
    try:
        return parse_address(login).canonical
    except AddressError:
        return None
