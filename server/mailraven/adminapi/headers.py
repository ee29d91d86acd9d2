"""Security headers on every answer, and a request id in every log line about it."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from mailraven.telemetry import metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_OPERATIONS = ("/livez", "/readyz", "/health", "/metrics")
_log = structlog.get_logger(component="http")
PROBLEM = (
    b'{"type":"about:blank","title":"Internal Server Error","status":500,'
    b'"detail":"The server failed; its log has the request id."}'
)


class Hardened:
    """Wraps an application: headers, request id, and a plain 500 for what it did not expect."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["mailraven.request_id"] = secrets.token_hex(8)
        started = finished = False
        status = 500

        async def send_hardened(message: Message) -> None:
            nonlocal started, finished, status
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                own = {name for name, _ in message.get("headers", ())}
                extra = [header for header in SECURITY_HEADERS if header[0] not in own]
                message["headers"] = [
                    *message.get("headers", ()),
                    *extra,
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_hardened)
            except Exception:
                _log.exception("request failed", method=scope["method"], path=scope["path"])
                if not started:
                    await respond(send_hardened, 500, PROBLEM, b"application/problem+json")
                elif not finished:
                    raise  # half an answer: the connection has to end
            finally:
                metrics.HTTP_REQUESTS.labels(_route(scope), str(status)).inc()


def _route(scope: Scope) -> str:
    """The route's pattern: a path is what a client chose."""
    if scope["path"] in _OPERATIONS:
        return str(scope["path"])
    return str(getattr(scope.get("route"), "path", "other"))


async def respond(send: Send, status: int, body: bytes, content_type: bytes, *, head: bool = False) -> None:
    """A whole response."""
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
