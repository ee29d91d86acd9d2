"""/livez, /readyz and /metrics on one port. Nothing here asks anybody: a probe costs nothing and hangs on nothing."""

from collections.abc import Callable

from aiohttp import web

from mailraven_operator.metrics import Metrics


class Health:
    """`problem` says why this replica is not ready; "": it is. A standby is ready, too. `measure` is called before the
    metrics are written out."""

    def __init__(
        self, host: str, port: int, metrics: Metrics, problem: Callable[[], str], measure: Callable[[], None]
    ) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._problem = problem
        self._measure = measure
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """The port. Raises OSError."""
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._show)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        return self.address[1]

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._runner is None:
            raise RuntimeError("not started")
        host, port = self._runner.addresses[0][:2]
        return str(host), int(port)

    async def stop(self) -> None:
        """Closes the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        """That the event loop answers is what is asked."""
        return web.Response(text="ok\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        problem = self._problem()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def _show(self, _request: web.Request) -> web.Response:
        self._measure()
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )
