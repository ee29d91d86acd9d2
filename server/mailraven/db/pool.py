"""The connection pool: few connections, prepared statements, and one kind of error when Postgres is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from mailraven.db.listen import Listener
from mailraven.db.notify import Notifier
from mailraven.db.reach import DatabaseUnavailable, reaching

Connection: TypeAlias = Any
"""A connection borrowed from the pool (asyncpg.pool.PoolConnectionProxy)."""


# Everything that is the server's or the network's state, not the statement's fault.
_AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting, statement_timeout, cancelled by its operator
    asyncpg.InsufficientResourcesError,  # disk, memory, connections
    asyncpg.PostgresSystemError,  # an error of the server's disk
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure: rolled back whole, may be tried again
    asyncpg.LockNotAvailableError,  # lock_timeout
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)


def is_away(error: BaseException) -> bool:
    """Whether an error says that the server or the way to it is the trouble, not the statement."""
    if isinstance(error, asyncpg.InterfaceError):
        # A connection or pool that is closed, closing or taken away; all others are wrong arguments.
        return any(word in str(error) for word in ("clos", "released"))
    return isinstance(error, _AWAY)


class _PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types for mypy
    """Given back as it is: the reset of session state costs four statements for each use, and we set none."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool to one Postgres, with its LISTEN connection and its notifier."""

    def __init__(self, pool: Any, listener: Listener, notifier: Notifier) -> None:
        self._pool = pool
        self.listener = listener
        self.notifier = notifier

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        size: int = 3,
        application_name: str = "mailraven",
        timeout: float = 10.0,
        command_timeout: float = 60.0,
    ) -> Database:
        """Open the pool. More than 3-4 connections a process only split the batches (docs/architecture.md).

        Raises:
            DatabaseUnavailable: when Postgres does not answer.
        """
        settings = {"application_name": application_name}
        with reaching(dsn):
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                timeout=timeout,
                command_timeout=command_timeout,
                max_inactive_connection_lifetime=0,
                server_settings=settings,
                connection_class=_PooledConnection,
            )
        listener = Listener(dsn, settings)
        return cls(pool, listener, Notifier(pool))

    @asynccontextmanager
    async def acquire(self, timeout: float = 10.0) -> AsyncIterator[Connection]:
        """Borrow a connection; errors that mean «Postgres is away» come out as DatabaseUnavailable.

        The body must not raise OSError of its own.
        """
        try:
            async with self._pool.acquire(timeout=timeout) as connection:
                yield connection
        except Exception as error:
            if is_away(error):
                raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection inside a transaction."""
        async with self.acquire() as connection, connection.transaction():
            yield connection

    async def close(self, timeout: float = 5.0) -> None:
        """Give back everything; what does not end in `timeout` seconds is cut."""
        await self.listener.close()
        await self.notifier.close()
        try:
            await asyncio.wait_for(self._pool.close(), timeout)
        except (TimeoutError, asyncpg.InterfaceError, *_AWAY):
            self._pool.terminate()
