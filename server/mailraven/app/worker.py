"""One worker process: an event loop with the servers of its roles, from the first readiness to the drain."""

import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog
import uvloop

from mailraven.adminapi.health import HealthMonitor, close_quietly
from mailraven.adminapi.ops import OpsApp
from mailraven.adminapi.server import HttpServer
from mailraven.app.checks import add_checks, watch_process
from mailraven.app.compose import Nouns, build_nouns
from mailraven.app.errors import StartError
from mailraven.app.link import WorkerLink, end_at_once
from mailraven.app.memory import return_large_blocks
from mailraven.app.roles import LISTENERS, Role
from mailraven.app.servers import Listening, Server, make_servers
from mailraven.app.sockets import Endpoint, listen
from mailraven.blobs import BlobUnavailable, BlobUnusable
from mailraven.certificates import ServedCertificates, WatchedFiles
from mailraven.config import Config, ConfigError, TlsConfig
from mailraven.db import DatabaseUnavailable, MigrationError, pending_migrations
from mailraven.telemetry.multiprocess import exposition
from mailraven.tls import TlsError

_log = structlog.get_logger(component="worker")
_RETRY_FIRST, _RETRY_LAST = 0.2, 5.0
FATAL = 78  # sysexits.h EX_CONFIG: starting again would not help


def run_worker(
    config: Config,
    roles: Sequence[Role],
    endpoints: Sequence[Endpoint],
    link: WorkerLink | None = None,
    fallback_tls: TlsConfig | None = None,
) -> int:
    """Serves until SIGTERM (or, without a supervisor, SIGINT); the exit code.

    `fallback_tls` serves until there is a certificate for the host name in the store.
    """
    return_large_blocks()
    gc.freeze()
    gc.enable()
    sys.unraisablehook = _log_unraisable
    worker = _Worker(config, tuple(roles), tuple(endpoints), link, fallback_tls or TlsConfig())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(worker.run())
    except (ConfigError, StartError, TlsError, MigrationError, BlobUnusable) as error:
        _log.error("cannot start", reason=str(error))
        return FATAL
    return 0


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Errors where nobody could catch them: to the log, not as they are to stderr."""
    error = unraisable.exc_value
    if isinstance(error, UnicodeDecodeError) and isinstance(unraisable.object, bytes):
        return  # a client's SNI that is no name (RFC 6066 §3); its handshake has failed
    _log.error("error in a callback", exc_info=error)


class _Worker:
    def __init__(
        self,
        config: Config,
        roles: tuple[Role, ...],
        endpoints: tuple[Endpoint, ...],
        link: WorkerLink | None,
        fallback_tls: TlsConfig,
    ) -> None:
        self._config = config
        self._roles = roles
        self._endpoints = endpoints
        self._link = link
        self._fallback_tls = fallback_tls
        self._stop = asyncio.Event()
        self._monitor = HealthMonitor(config.health)
        self._ops = OpsApp(self._monitor, exposition())
        self._ops_server = HttpServer(self._ops)
        self._servers: list[Server] = []

    async def run(self) -> None:
        """From start to drained."""
        self._take_signals()
        async with AsyncExitStack() as stack:
            self._spawn(stack, watch_process())
            if self._link is not None:
                self._spawn(stack, self._link.beat())
            await self._ops_server.start(self._listen(None))
            stack.push_async_callback(self._ops_server.drain, 1.0)
            starting = asyncio.create_task(self._start(stack))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                await close_quietly(starting)
            else:
                starting.result()
                await stopping
            await self._drain()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        if self._link is None:
            loop.add_signal_handler(signal.SIGINT, self._terminate)
        else:
            # Ctrl-C goes to the whole group: the supervisor passes it on as SIGTERM.
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            self._link.watch(loop, end_at_once)

    def _terminate(self) -> None:
        if self._stop.is_set() and self._link is None:
            _log.warning("second signal: ending at once")
            end_at_once()
        self._stop.set()

    def _spawn(self, stack: AsyncExitStack, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        stack.push_async_callback(close_quietly, task)

    def _listen(self, role: Role | None) -> list[Listening]:
        names = {kind.name for kind in LISTENERS if kind.role is role}
        return [(end.name, listen(end), end.tls) for end in self._endpoints if end.name in names]

    async def _start(self, stack: AsyncExitStack) -> None:
        files = _watched(self._config.tls) if self._speaks_tls() else None
        nouns = await self._connect()
        stack.push_async_callback(nouns.close)
        certificates = self._certificates(nouns, files)
        context = None if certificates is None else certificates.contexts.server_context()
        servers = make_servers(self._roles, self._config, nouns, context, self._ops)
        await nouns.database.listener.start()
        await nouns.gate.start()
        if certificates is not None:
            stack.push_async_callback(certificates.close)
            await certificates.start()
        await self._keep_admin_token(stack, nouns)
        for role, server in servers:
            await server.start(self._listen(role))
            self._servers.append(server)
        add_checks(self._monitor, self._config, nouns.database, nouns.blobs, self._endpoints)
        self._monitor.serving()
        self._spawn(stack, self._monitor.run())
        _log.info("serving", roles=[str(role) for role in self._roles])
        if self._link is not None:
            self._link.ready()

    async def _keep_admin_token(self, stack: AsyncExitStack, nouns: Nouns) -> None:
        path = self._config.http.admin_token_file
        if path is not None and Role.ADMIN in self._roles:
            from mailraven.app.admin_token import AdminTokenFile

            token = AdminTokenFile(nouns.database, path)
            await token.look()  # before the first request: who comes too early with it would count as an intruder
            self._spawn(stack, token.run())

    def _certificates(self, nouns: Nouns, files: WatchedFiles | None) -> ServedCertificates | None:
        if not self._speaks_tls():
            return None
        return ServedCertificates(
            nouns.database, nouns.sealer, self._config.hostname, files=files, fallback=_watched(self._fallback_tls)
        )

    def _speaks_tls(self) -> bool:
        return any(end.tls != "none" for end in self._endpoints)

    async def _connect(self) -> Nouns:
        """Waits for the database and the blob store; /readyz says meanwhile for which."""
        url = self._config.database.url
        if url is None:
            raise ConfigError(["database.url: needed"])
        delay = _RETRY_FIRST
        while True:
            try:
                return await _connect_once(self._config, url.get_secret_value())
            except BlobUnusable:
                raise
            except (DatabaseUnavailable, BlobUnavailable) as error:
                _log.warning("waiting", reason=str(error), retry_seconds=delay)
                self._monitor.waiting(str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, _RETRY_LAST)

    async def _drain(self) -> None:
        self._monitor.draining()
        _log.info("draining")
        seconds = self._config.drain_timeout
        results = await asyncio.gather(
            *(server.drain(seconds) for server in reversed(self._servers)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                _log.error("drain failed", exc_info=result)
        _log.info("stopped")


def _watched(tls: TlsConfig) -> WatchedFiles | None:
    """Raises TlsError when files are named that cannot be used."""
    return None if tls.cert_file is None or tls.key_file is None else WatchedFiles(tls.cert_file, tls.key_file)


async def _connect_once(config: Config, dsn: str) -> Nouns:
    nouns = await build_nouns(config, dsn)
    try:
        await _check_schema(nouns)
        await nouns.settings.load()
    except BaseException:
        await nouns.close()
        raise
    return nouns


async def _check_schema(nouns: Nouns) -> None:
    async with nouns.database.acquire() as connection:
        pending = await pending_migrations(connection)
    if pending:
        raise DatabaseUnavailable(f"{len(pending)} migrations are not applied: run `mailraven migrate`")
