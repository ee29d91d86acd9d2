"""Listeners and connections of the IMAP role in one process; drain on the way down."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine, Iterable
from typing import Any, Literal

import structlog

import mailraven
from mailraven.config import ImapConfig
from mailraven.directory import Directory, DirectoryUnavailable, Targets
from mailraven.imap import response
from mailraven.imapd.connection import Connection
from mailraven.imapd.limits import Limits
from mailraven.imapd.services import Services
from mailraven.imapd.state import Authenticated, Selected
from mailraven.mailstore import Mailstore

_log = structlog.get_logger(component="imapd")

Tls = Literal["none", "starttls", "implicit"]
_SWEEP_SECONDS = 5.0


class ImapServer:
    """All IMAP connections of this process."""

    def __init__(
        self,
        mailstore: Mailstore,
        directory: Directory,
        config: ImapConfig,
        *,
        hostname: str,
        tls: ssl.SSLContext | None,
        limits: Limits | None = None,
    ) -> None:
        self._mailstore = mailstore
        self._directory = directory
        self._config = config
        self._hostname = hostname
        self._tls = tls
        self.limits = limits or Limits.of(config)
        self.connections: set[Connection] = set()
        self.draining = False
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()

    async def start(self, sockets: Iterable[tuple[str, socket.socket, Tls]]) -> None:
        """Accept on bound, listening sockets, each (name, socket, how it speaks TLS)."""
        loop = asyncio.get_running_loop()
        for name, listening, tls in sockets:
            if tls != "none" and self._tls is None:
                raise ValueError(f"listener {name} needs a TLS context")
            implicit = tls == "implicit"
            services = self._services(starttls=tls == "starttls")
            listener = await loop.create_server(
                lambda services=services, implicit=implicit: Connection(self, services, secure=implicit),
                sock=listening,
                ssl=self._tls if implicit else None,
                ssl_handshake_timeout=self.limits.tls_timeout if implicit else None,
            )
            self._listeners.append(listener)
        self.spawn(self._sweep(), name="imapd-sweep")
        self.spawn(self._watch_accounts(), name="imapd-accounts")

    async def drain(self, seconds: float) -> None:
        """Stop accepting; sessions hear BYE, busy ones after their command; what is left after `seconds` is cut."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.shut_down()
        self._empty.clear()
        if self.connections:
            try:
                await asyncio.wait_for(self._empty.wait(), seconds)
            except TimeoutError:
                _log.warning("sessions cut off", sessions=len(self.connections))
        for connection in list(self.connections):
            connection.abort()
        await self._end_tasks()

    # -- for connections ---------------------------------------------------------------------------------------

    def joined(self, connection: Connection) -> bool:
        """Count a connection in; False: too many."""
        if len(self.connections) >= self.limits.connections:
            return False
        self.connections.add(connection)
        return True

    def left(self, connection: Connection) -> None:
        """Count it out."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str | None = None) -> asyncio.Task[None]:
        """Run in the background; ends with the server."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- inside ------------------------------------------------------------------------------------------------

    def _services(self, *, starttls: bool) -> Services:
        return Services(
            mailstore=self._mailstore,
            directory=self._directory,
            limits=self.limits,
            hostname=self._hostname,
            version=mailraven.__version__,
            tls=self._tls if starttls else None,
            plaintext_login_from_loopback=self._config.allow_plaintext_login_from_loopback,
        )

    async def _end_tasks(self) -> None:
        periodic = {"imapd-sweep", "imapd-accounts"}
        for task in self._tasks:
            if task.get_name() in periodic:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sweep(self) -> None:
        """One timer for all connections: close what has been silent too long."""
        limits = self.limits
        shortest = min(limits.login_timeout, limits.idle_timeout, limits.stalled_timeout)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, shortest / 4))
            now = loop.time()
            for connection in list(self.connections):
                if connection.is_overdue(now):
                    connection.time_out()
                else:
                    connection.forget_ahead(now)

    async def _watch_accounts(self) -> None:
        """End the sessions of accounts that were suspended or deleted, within a minute."""
        while True:
            await asyncio.sleep(self.limits.accounts_interval)
            sessions: dict[tuple[int, str], list[Connection]] = {}
            for connection in self.connections:
                state = connection.session.state
                if isinstance(state, Authenticated | Selected):
                    who = state.identity
                    sessions.setdefault((who.account_id, who.address), []).append(connection)
            for (account, address), connections in sessions.items():
                try:
                    found = await self._directory.resolve(address)
                except DirectoryUnavailable:
                    break
                if isinstance(found, Targets) and any(one.account_id == account for one in found.accounts):
                    continue
                _log.info("account is no longer active", account=account, sessions=len(connections))
                for connection in connections:
                    connection.shut_down(response.bye("The account is not active any more"))
