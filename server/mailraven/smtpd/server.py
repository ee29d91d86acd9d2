"""The listeners and connections of one SMTP role in one process; the sweep of deadlines; the drain."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import structlog

from mailraven.config import SmtpConfig
from mailraven.directory import Directory
from mailraven.limits import Gate
from mailraven.mailstore import Intake
from mailraven.net.listening import listen
from mailraven.net.proxied import NO_PROXIES, Client, ProxiedListener
from mailraven.policy.chain import decide
from mailraven.policy.facts import ConnectFacts
from mailraven.policy.verdict import Accept
from mailraven.settings import Settings
from mailraven.smtp import replies
from mailraven.smtp.reply import Reply
from mailraven.smtpd import gather, instruments
from mailraven.smtpd.budget import MemoryBudget
from mailraven.smtpd.engine import Connection
from mailraven.smtpd.limits import Limits
from mailraven.smtpd.services import POLICIES, Role, Services
from mailraven.telemetry import metrics
from mailraven.trace import Recorder

_log = structlog.get_logger(component="smtpd")

Tls = Literal["none", "starttls", "implicit"]
_SWEEP_SECONDS = 5.0


class SmtpServer:
    """All connections of a role in this process."""

    def __init__(
        self,
        role: Role | str,
        directory: Directory,
        intake: Intake,
        config: SmtpConfig,
        *,
        hostname: str,
        tls: ssl.SSLContext | None = None,
        budget: MemoryBudget | None = None,
        limits: Limits | None = None,
        proxied: Mapping[str, ProxiedListener] = NO_PROXIES,
        trace: Recorder | None = None,
        gate: Gate | None = None,
        settings: Settings | None = None,
    ) -> None:
        """`budget` is the process's, to be shared by its servers; without one the server has its own. `proxied`:
        the listeners behind load balancers, by name.
        """
        self.role = Role(role)
        self.limits = limits or Limits.of(config)
        self.budget = budget or MemoryBudget(self.limits.memory_budget)
        self.connections: set[Connection] = set()
        self.draining = False
        self._directory = directory
        self._intake = intake
        self._hostname = hostname
        self._tls = tls
        self._plaintext_login = config.allow_plaintext_login_from_loopback
        self._instruments = instruments.of(self.role)
        self._proxied = proxied
        self._trace = trace
        self._gate = gate
        self._settings = settings
        self._occupancy = gate.occupancy("smtp") if gate is not None else None
        self._occupying: set[Connection] = set()
        if gate is not None:
            gate.on_ban(self._end_banned)
        self._listeners: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    async def start(self, sockets: Iterable[tuple[str, socket.socket, Tls]]) -> None:
        """Accepts on bound, listening sockets, each (name, socket, how it speaks TLS)."""
        for name, listening, tls in sockets:
            if tls != "none" and self._tls is None:
                raise ValueError(f"listener {name} needs a TLS context")
            implicit = tls == "implicit"
            listener = await listen(
                self._factory(self._services(starttls=tls == "starttls"), secure=implicit),
                listening,
                tls=self._tls if implicit else None,
                tls_timeout=self.limits.tls_timeout,
                proxied=self._proxied.get(name),
            )
            self._listeners.append(listener)
        self._sweeper = asyncio.create_task(self._sweep(), name=f"smtpd-sweep-{self.role}")

    async def drain(self, seconds: float) -> None:
        """No new connections; open transactions finish, everybody else hears 421; the rest is cut in the end."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.shut_down()
        if not await self._emptied(seconds):
            _log.warning("sessions cut off", role=self.role.value, sessions=len(self.connections))
            for _ in range(2):  # 421 first, then without waiting for the peer to read it
                for connection in list(self.connections):
                    connection.abort()
                if await self._emptied(1.0):
                    break
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    # -- for connections ---------------------------------------------------------------------------------------

    async def joined(self, connection: Connection) -> Reply | None:
        """Counts a connection in, or says why it can't stay; it is watched either way until it has left."""
        crowded = self._occupancy is not None and not self._occupancy.enter(connection.mail.peer_ip)
        facts = ConnectFacts(len(self.connections), self.limits.max_connections, self.draining, crowded=crowded)
        self.connections.add(connection)
        self._instruments.connections.inc()
        if self._occupancy is not None and not crowded:
            self._occupying.add(connection)
        facts = await gather.connect_facts(self._gate, facts, connection.mail.peer_ip, connection.mail.id)
        verdict = decide(POLICIES[self.role].connect, facts)
        if isinstance(verdict, Accept):
            self._instruments.sessions_taken.inc()
            return None
        self._instruments.sessions_refused.inc()
        if facts.banned is not None:
            metrics.BANNED_CONNECTIONS.labels("smtp").inc()
        return verdict.reply

    def left(self, connection: Connection) -> None:
        """Counts it out."""
        if connection in self.connections:
            self.connections.remove(connection)
            self._instruments.connections.dec()
        if self._occupancy is not None and connection in self._occupying:
            self._occupying.remove(connection)
            self._occupancy.leave(connection.mail.peer_ip)
        if not self.connections:
            self._empty.set()

    # -- inside ------------------------------------------------------------------------------------------------

    def _services(self, *, starttls: bool) -> Services:
        return Services(
            role=self.role,
            hostname=self._hostname,
            directory=self._directory,
            intake=self._intake,
            limits=self.limits,
            budget=self.budget,
            tls=self._tls if starttls else None,
            plaintext_login_from_loopback=self._plaintext_login,
            trace=self._trace,
            gate=self._gate,
            settings=self._settings,
        )

    def _end_banned(self) -> None:
        """Who is banned now does not go on with what is open."""
        for connection in list(self.connections):
            if self._gate is not None and (ban := self._gate.banned(connection.mail.peer_ip)) is not None:
                metrics.BANNED_CONNECTIONS.labels("smtp").inc()
                _log.info("connection of a banned address ended", ip=connection.mail.peer_ip, network=ban.network)
                connection.abort(replies.BANNED_FOR_NOW)

    def _factory(self, services: Services, *, secure: bool) -> Callable[[Client | None], Connection]:
        return lambda client: Connection(self, services, secure=secure, client=client)

    async def _emptied(self, seconds: float) -> bool:
        self._empty.clear()
        if not self.connections:
            return True
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _sweep(self) -> None:
        """One timer for all connections: ends who is silent for too long."""
        limits, loop = self.limits, asyncio.get_running_loop()
        interval = min(_SWEEP_SECONDS, limits.command_timeout / 4, limits.data_timeout / 4)
        while True:
            await asyncio.sleep(interval)
            now = loop.time()
            for connection in [one for one in self.connections if one.deadline <= now]:
                connection.time_out()
