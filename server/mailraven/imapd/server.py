"""Listeners and connections of the IMAP role in one process; drain on the way down."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Literal

import structlog

import mailraven
from mailraven.config import ImapConfig
from mailraven.directory import Directory, DirectoryUnavailable, Identity
from mailraven.imap import response
from mailraven.imapd.connection import Connection
from mailraven.imapd.limits import Limits
from mailraven.imapd.services import Services
from mailraven.imapd.state import Authenticated, Selected
from mailraven.limits import Gate
from mailraven.mailstore import Mailstore
from mailraven.net.listening import listen
from mailraven.net.proxied import NO_PROXIES, Client, ProxiedListener
from mailraven.telemetry import metrics
from mailraven.trace import Recorder

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
        proxied: Mapping[str, ProxiedListener] = NO_PROXIES,
        gate: Gate | None = None,
        trace: Recorder | None = None,
    ) -> None:
        """`proxied`: the listeners behind load balancers, by name."""
        self._mailstore = mailstore
        self._directory = directory
        self._config = config
        self._hostname = hostname
        self._tls = tls
        self.limits = limits or Limits.of(config)
        self.connections: set[Connection] = set()
        self.draining = False
        self._proxied = proxied
        self._trace = trace
        self._gate = gate
        self._occupancy = gate.occupancy("imap") if gate is not None else None
        if gate is not None:
            gate.on_ban(self._end_banned)
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()

    async def start(self, sockets: Iterable[tuple[str, socket.socket, Tls]]) -> None:
        """Accept on bound, listening sockets, each (name, socket, how it speaks TLS)."""
        for name, listening, tls in sockets:
            if tls != "none" and self._tls is None:
                raise ValueError(f"listener {name} needs a TLS context")
            implicit = tls == "implicit"
            services = self._services(starttls=tls == "starttls")
            listener = await listen(
                functools.partial(self._connection, services, implicit),
                listening,
                tls=self._tls if implicit else None,
                tls_timeout=self.limits.tls_timeout,
                proxied=self._proxied.get(name),
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
        """Count a connection in; False: too many, of its address or at all."""
        peer = connection.session.peer
        if len(self.connections) >= self.limits.connections or (self._gate is not None and self._gate.banned(peer)):
            return False
        if self._occupancy is not None and not self._occupancy.enter(peer):
            return False
        self.connections.add(connection)
        return True

    def left(self, connection: Connection) -> None:
        """Count it out."""
        if connection in self.connections and self._occupancy is not None:
            self._occupancy.leave(connection.session.peer)
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
            gate=self._gate,
            trace=self._trace,
        )

    def _end_banned(self) -> None:
        """Who is banned now does not go on with what is open."""
        for connection in list(self.connections):
            peer = connection.session.peer
            if self._gate is not None and (ban := self._gate.banned(peer)) is not None:
                metrics.BANNED_CONNECTIONS.labels("imap").inc()
                _log.info("connection of a banned address ended", ip=peer, network=ban.network)
                connection.shut_down(response.bye("Your address is banned", "UNAVAILABLE"))

    def _connection(self, services: Services, secure: bool, client: Client | None) -> Connection:
        return Connection(self, services, secure=secure, client=client)

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
        """End the sessions whose login would not be let in now: another password, suspended, protocol disabled."""
        while True:
            await asyncio.sleep(self.limits.accounts_interval)
            sessions: dict[Identity, list[Connection]] = {}
            for connection in self.connections:
                state = connection.session.state
                if isinstance(state, Authenticated | Selected):
                    sessions.setdefault(state.identity, []).append(connection)
            try:
                ended = await self._directory.ended(sessions, "imap")
            except DirectoryUnavailable:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it was, the next round must come
                _log.error("sessions not checked", exc_info=error)
                continue
            for identity in ended:
                connections = sessions[identity]
                _log.info("login is no longer valid", account=identity.account_id, sessions=len(connections))
                for connection in connections:
                    connection.shut_down(response.bye("Your login has ended, connect and log in again"))
