"""Changes and lists of the directory, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.directory import changes, listing, tokens
from mailraven.directory.account_settings import read_account
from mailraven.directory.errors import DirectoryUnavailable
from mailraven.directory.model import Account, Alias, Domain
from mailraven.directory.passwords import Passwords


class Administration:
    """For the command line and the admin API. Who needs more in the transaction calls `changes` itself."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def invalidate(self) -> None:
        """Called after each change of our own: this process need not wait for the notification."""

    async def create_domain(self, name: str) -> Domain:
        """Raises DomainExists, AddressError, DirectoryUnavailable."""
        async with self._change() as connection:
            return await changes.create_domain(connection, name)

    async def set_domain_suspended(self, name: str, suspended: bool) -> None:
        """Raises NoSuchDomain, DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.set_domain_suspended(connection, name, suspended)

    async def delete_domain(self, name: str) -> None:
        """Raises NoSuchDomain, NotEmpty, DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.delete_domain(connection, name)

    async def create_account(
        self,
        address: str,
        password: str | None,
        *,
        display_name: str = "",
        quota_bytes: int | None = None,
    ) -> Account:
        """Raises AccountExists, AliasExists, NoSuchDomain, InvalidValue, WeakPassword,
        DirectoryUnavailable.
        """
        password_hash = (
            None if password is None else await self.hash_password(password, address=address, display_name=display_name)
        )
        async with self._change() as connection:
            return await changes.create_account(
                connection, address, password_hash, display_name=display_name, quota_bytes=quota_bytes
            )

    async def set_password(self, address: str, password: str | None) -> None:
        """Raises NoSuchAccount, WeakPassword, DirectoryUnavailable."""
        password_hash = None
        if password is not None:
            async with self._read() as connection:
                owner = await read_account(connection, address)
            password_hash = await self.hash_password(
                password, address=str(owner.address), display_name=owner.display_name, role=owner.role
            )
        async with self._change() as connection:
            await changes.set_password_hash(connection, address, password_hash)

    async def hash_password(self, password: str, *, address: str, display_name: str = "", role: str = "user") -> str:
        """The hash of a password chosen for this account. Raises WeakPassword with a text that helps, and
        DirectoryUnavailable.
        """
        return await self._passwords.hash_new(password, inputs=(address, display_name), admin=role != "user")

    async def accept_hash(self, text: str) -> str:
        """An argon2id hash (PHC format) made elsewhere, in place of a password. Raises InvalidValue,
        DirectoryUnavailable.
        """
        return await self._passwords.accept_hash(text)

    async def set_suspended(self, address: str, suspended: bool) -> None:
        """Raises NoSuchAccount, DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.set_suspended(connection, address, suspended)

    async def set_quota(self, address: str, quota_bytes: int | None) -> None:
        """Raises NoSuchAccount, InvalidValue, DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.set_quota(connection, address, quota_bytes)

    async def delete_account(self, address: str) -> None:
        """Raises NoSuchAccount, NotEmpty (it holds mail), DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.delete_account(connection, address)

    async def create_alias(self, address: str, targets: Sequence[str]) -> Alias:
        """Raises AliasExists, AccountExists, NoSuchDomain, InvalidValue, DirectoryUnavailable."""
        async with self._change() as connection:
            return await changes.create_alias(connection, address, targets)

    async def delete_alias(self, address: str) -> None:
        """Raises NoSuchAlias, DirectoryUnavailable."""
        async with self._change() as connection:
            await changes.delete_alias(connection, address)

    async def list_domains(self, *, after: str = "", limit: int = listing.PAGE) -> list[Domain]:
        """By name; `after` is the last name of the page before."""
        async with self._read() as connection:
            return await listing.list_domains(connection, after=after, limit=limit)

    async def list_accounts(self, domain: str, *, after: str = "", limit: int = listing.PAGE) -> list[Account]:
        """Of a domain, by localpart; `after` is the last address of the page before."""
        async with self._read() as connection:
            return await listing.list_accounts(connection, domain, after=after, limit=limit)

    async def get_account(self, address: str) -> Account:
        """Raises NoSuchAccount, DirectoryUnavailable."""
        async with self._read() as connection:
            return await listing.get_account(connection, address)

    async def list_aliases(self, domain: str, *, after: str = "", limit: int = listing.PAGE) -> list[Alias]:
        """Of a domain, by localpart; `after` is the last address of the page before."""
        async with self._read() as connection:
            return await listing.list_aliases(connection, domain, after=after, limit=limit)

    async def create_token(self, name: str) -> str:
        """The secret, shown once. Raises TokenExists, InvalidValue, DirectoryUnavailable."""
        async with self._change() as connection:
            return await tokens.create_token(connection, name)

    async def verify_token(self, secret: str) -> str | None:
        """The token's name, None: no such token. Raises DirectoryUnavailable."""
        async with self._read() as connection:
            return await tokens.verify_token(connection, secret)

    async def delete_token(self, name: str) -> None:
        """Raises NoSuchToken, DirectoryUnavailable."""
        async with self._change() as connection:
            await tokens.delete_token(connection, name)

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[Connection]:
        try:
            async with self._database.transaction() as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable("the directory is not available") from error
        finally:
            self.invalidate()  # also after a failure: the commit may have been done when its answer was lost

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Connection]:
        try:
            async with self._database.acquire() as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable("the directory is not available") from error
