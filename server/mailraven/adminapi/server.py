"""uvicorn inside a worker's loop, on sockets that are given to it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import structlog
import uvicorn

from mailraven.adminapi.headers import AsgiApp, Hardened
from mailraven.adminapi.protocol import REQUEST_SECONDS, BoundedH11Protocol, behind_balancers
from mailraven.limits import Occupancy
from mailraven.net.proxied import ProxiedListener

_log = structlog.get_logger(component="http")


class _Server(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One application on some listeners."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        keep_alive: int = 15,
        request_seconds: float = REQUEST_SECONDS,
        proxied: ProxiedListener | None = None,
        occupancy: Occupancy | None = None,
    ) -> None:
        """`proxied`: the listener behind load balancers that this is; `occupancy`: connections of one client."""
        limits = {"request_seconds": request_seconds, "occupancy": occupancy}
        protocol = type("_Protocol", (BoundedH11Protocol,), limits)
        self._config = uvicorn.Config(
            Hardened(app),
            lifespan="off",
            interface="asgi3",
            loop="none",
            http=protocol if proxied is None else behind_balancers(protocol, proxied),  # type: ignore[arg-type]
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=keep_alive,
            timeout_graceful_shutdown=5,
            limit_concurrency=1000,
            h11_max_incomplete_event_size=32768,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, sockets: Sequence[tuple[str, socket.socket, str]]) -> None:
        """Returns when it accepts."""
        bound = [listening for _, listening, _ in sockets]
        self._task = task = asyncio.create_task(self._server.serve(bound), name="http")
        while not self._server.started:
            if task.done():
                task.result()
                raise RuntimeError("the HTTP server ended at once")
            await asyncio.sleep(0.005)

    async def drain(self, seconds: float) -> None:
        """No new connections; requests in progress may finish."""
        if self._task is None:
            return
        self._server.should_exit = True
        try:
            await asyncio.wait_for(self._task, seconds)
        except TimeoutError:
            _log.warning("requests cut off")
