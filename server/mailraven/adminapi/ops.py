"""/livez, /readyz, /health and /metrics: the endpoints of every role.

/livez never looks at Postgres or the blob store: restarting this process would not mend those.
"""

import json
from collections.abc import Callable

from mailraven.adminapi.headers import AsgiApp, Receive, Scope, Send, respond
from mailraven.adminapi.health import HealthMonitor

_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"
_PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class OpsApp:
    """A plain ASGI application: it has to work when little else does."""

    def __init__(self, monitor: HealthMonitor, exposition: Callable[[], bytes]) -> None:
        self._monitor = monitor
        self._exposition = exposition

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            status, body, kind = 405, b"method not allowed\n", _TEXT
        else:
            status, body, kind = await self._answer(scope["path"])
        await respond(send, status, body, kind, head=scope["method"] == "HEAD")

    async def _answer(self, path: str) -> tuple[int, bytes, bytes]:
        if path == "/livez":
            return 200, b"alive\n", _TEXT
        if path == "/readyz":
            ready, reason = self._monitor.readiness()
            return (200 if ready else 503), f"{reason}\n".encode(), _TEXT
        if path == "/health":
            health = await self._monitor.health()
            return (503 if health["status"] == "unhealthy" else 200), json.dumps(health).encode(), _JSON
        if path == "/metrics":
            return 200, self._exposition(), _PROMETHEUS
        return 404, b"not found\n", _TEXT


def with_ops(app: AsgiApp, ops: OpsApp) -> AsgiApp:
    """`app`, with /health and /metrics beside it."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        chosen: AsgiApp = ops if scope["type"] == "http" and scope["path"] in ("/health", "/metrics") else app
        await chosen(scope, receive, send)

    return route
