"""Before and behind all routes: who is banned, what no request may hold, and what every answer has to say.

Behind them: the rate limit of the client, and every refused access in the audit log.
"""

import asyncio
import re
from urllib.parse import unquote_plus

from mailraven.adminapi.bodies import check_json
from mailraven.adminapi.clients import client_of
from mailraven.adminapi.headers import AsgiApp, Message, Receive, Scope, Send
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.adminapi.trail import Trail, lay_trail
from mailraven.audit import Entry
from mailraven.directory.tokens import PREFIX
from mailraven.net.addresses import Networks

_URL_OCTETS = 8192
_UPLOAD_SLACK = 1_048_576  # what a form adds to a message
_JSON_SECONDS = 30.0
_CHUNK_SECONDS = 30.0
_UPLOAD_SECONDS = 900.0
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_SECRET_NAMES = re.compile(
    r"(?:^|&)(?:access_?token|token|api_?key|authorization|bearer|password|secret)=", re.IGNORECASE
)
_REFUSED = (401, 403)


class Guard:
    """The outermost part of the application."""

    def __init__(self, app: AsgiApp, services: ApiServices) -> None:
        self._app = app
        self._services = services
        self._proxies = Networks(services.config.http.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trail = Trail(client_of(scope, self._proxies), scope.get("mailraven.request_id", ""))
        lay_trail(scope, trail)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._finish(scope, trail, message)
            await send(message)

        try:
            self._check_client(trail)
            _check_url(scope)
            receive = await self._bounded(scope, receive)
        except ApiProblem as problem:
            await problem.response()(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _check_client(self, trail: Trail) -> None:
        ban = self._services.gate.banned(trail.client.ip)
        if ban is not None:
            trail.reason = "banned"
            raise ApiProblem(403, "Your address is banned.")

    async def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """The body of at most so many octets; JSON is read and checked here."""
        headers = dict(scope["headers"])
        _check_framing(scope)
        # As the routes read it, who take a body without a type for JSON.
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        json = kind in ("", "application/json") or kind.endswith("+json")
        config = self._services.config
        limit = config.http.max_body_size if json else config.smtp.max_message_size + _UPLOAD_SLACK
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            raise _too_large(limit)
        if not json:
            return _counted(receive, limit)
        if not length and b"transfer-encoding" not in headers:
            return receive
        try:
            async with asyncio.timeout(_JSON_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            raise _too_slow() from None
        check_json(body)
        return _replay(body, receive)

    def _finish(self, scope: Scope, trail: Trail, message: Message) -> None:
        decision = trail.decision
        if decision is not None and decision.limit:
            message["headers"] = [
                *message.get("headers", ()),
                (b"ratelimit-limit", b"%d" % decision.limit),
                (b"ratelimit-remaining", b"%d" % max(0, decision.remaining)),
                (b"ratelimit-reset", b"%d" % max(0, -int(-decision.reset_seconds // 1))),
            ]
        status = message["status"]
        if status in _REFUSED and not trail.recorded:
            route = getattr(scope.get("route"), "path", None) or scope["path"][:200]
            # Who is banned is not counted: whatever he asks for is one entry of a moment.
            target = "any request" if trail.reason == "banned" else f"{scope['method']} {route}"
            after = {"status": status, "reason": trail.reason or "refused"}
            self._services.audit.record(
                Entry(
                    trail.actor,
                    trail.client.ip,
                    trail.request_id,
                    "access",
                    target,
                    outcome="refused",
                    after=after,
                )
            )


def _check_url(scope: Scope) -> None:
    query = scope["query_string"]
    if len(query) + len(scope["path"]) > _URL_OCTETS:
        raise ApiProblem(414, f"The URL is over {_URL_OCTETS} octets.")
    text = unquote_plus(query.decode("latin-1"))
    if _SECRET_NAMES.search(query.decode("latin-1")) or _TOKEN.search(text) or _TOKEN.search(scope["path"]):
        # Proxies and browsers write URLs into logs and histories (RFC 6750 §5.3).
        raise ApiProblem(400, "A credential never goes into the URL: send it in the header Authorization.")
    if "\0" in text or "\0" in scope["path"]:
        raise ApiProblem(422, "The URL holds a NUL character.")


def _check_framing(scope: Scope) -> None:
    """What two readers of one request may understand in two ways. Raises ApiProblem 400."""
    names = [name for name, _ in scope["headers"]]
    if names.count(b"content-type") > 1:
        raise ApiProblem(400, "The request has more than one Content-Type.", headers={"Connection": "close"})
    if b"content-length" in names and b"transfer-encoding" in names:  # RFC 9112 §6.3: a sign of smuggling
        text = "The request has both a Content-Length and a Transfer-Encoding."
        raise ApiProblem(400, text, headers={"Connection": "close"})


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _counted(receive: Receive, limit: int) -> Receive:
    size, more = 0, True
    latest = asyncio.get_running_loop().time() + _UPLOAD_SECONDS

    async def counted() -> Message:
        nonlocal size, more
        if not more:  # it waits for the client to go
            return await receive()
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(now + _CHUNK_SECONDS, latest)):
                message = await receive()
        except TimeoutError:
            raise _too_slow() from None
        more = message.get("more_body", False)
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_slow() -> ApiProblem:
    return ApiProblem(400, "The body came too slowly.", headers={"Connection": "close"})


def _too_large(limit: int) -> ApiProblem:
    return ApiProblem(413, f"The body is over {limit} octets.", headers={"Connection": "close"})
