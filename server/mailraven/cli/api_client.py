"""The HTTP API of a running server, as the commands use it.

On http.client: importing it takes 20 ms, httpx a quarter of a second, and a command is one or two requests.
"""

import json
import math
import time
from collections.abc import Iterator
from http.client import HTTPException
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

from mailraven.cli.connection import Server
from mailraven.cli.exchange import Answer, Exchange
from mailraven.cli.problems import CommandError, UsageProblem

_PAGE = 1000
_LONGEST_PAUSE = 30.0  # seconds that a command waits by itself when the server says "later"
_TRIES = 4
_NAMED = ("accounts", "admins", "certificates", "domains", "tokens")
_SHOWN = 5  # problems of one request


class ApiError(CommandError):
    """The server refused: its words and its status."""

    def __init__(self, status: int, text: str, document: Any = None) -> None:
        super().__init__(text)
        self.status = status
        self.document = document


class Unreachable(CommandError):
    """No server answers there."""


def path(*segments: str) -> str:
    """`path("domains", "example.org")` is /api/v1/domains/example.org."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise UsageProblem(f"{segment!r} is no name")
    return "/api/v1/" + "/".join(quote(segment, safe="@") for segment in segments)


class Api:
    """One connection to one server."""

    def __init__(self, server: Server, *, timeout: float = 60.0) -> None:
        self.server = server
        self._exchange = Exchange(server.url, server.token, timeout)

    def __enter__(self) -> "Api":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exchange.close()

    def get(self, where: str, **query: Any) -> Any:
        """The document there."""
        return self.call("GET", where, query=query)

    def text(self, where: str, **query: Any) -> str:
        """The text there, such as a zone file."""
        return self._answer("GET", where, None, query, None).body.decode("utf-8", "replace")

    def health(self) -> dict[str, Any]:
        """Of /health, which answers 503 when something is wrong."""
        answer = self._send("GET", "/health", None, {}, None)
        document = answer.json()
        if not isinstance(document, dict) or "components" not in document:
            raise self._problem(answer)
        return document

    def put(self, where: str, body: Any, *, etag: str | None = None) -> Any:
        """Replaces it."""
        return self.call("PUT", where, body, etag=etag)

    def post(self, where: str, body: Any = None, **query: Any) -> Any:
        """Makes one, or does something."""
        return self.call("POST", where, body, query=query)

    def patch(self, where: str, body: Any) -> Any:
        """Changes the fields that are named."""
        return self.call("PATCH", where, body)

    def delete(self, where: str, **query: Any) -> Any:
        """Deletes it."""
        return self.call("DELETE", where, query=query)

    def read(self, where: str) -> tuple[Any, str | None]:
        """The document and its ETag."""
        answer = self._answer("GET", where, None, {}, None)
        return self._document(answer), answer.headers.get("etag")

    def pages(self, where: str, *, limit: int | None = None, **query: Any) -> Iterator[Any]:
        """The items of a list, page by page; at most `limit`."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self.get(where, limit=size, cursor=cursor, **query)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise Unreachable(f"{self.server.url} does not answer like MailRaven (no list at {where})")
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            cursor = page.get("next")
            if not cursor:
                return

    def call(self, method: str, where: str, body: Any = None, *, query: Any = None, etag: str | None = None) -> Any:
        """The answer's document; ApiError when it is a problem."""
        return self._document(self._answer(method, where, body, query or {}, etag))

    def _answer(self, method: str, where: str, body: Any, query: dict[str, Any], etag: str | None) -> Answer:
        for left in reversed(range(_TRIES)):
            answer = self._send(method, where, body, query, etag)
            pause = _pause(answer)
            if pause is None or left == 0:
                break
            time.sleep(pause)
        if 200 <= answer.status < 300:
            return answer
        raise self._problem(answer, _subject(where, query, body))

    def _send(self, method: str, where: str, body: Any, query: dict[str, Any], etag: str | None) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        try:
            return self._exchange.send(method, where, query, content, {"If-Match": etag} if etag else {})
        except TimeoutError:
            raise Unreachable(f"{self.server.url} does not answer in time") from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(f"{self.server.url} cannot be reached: {reason}") from None

    def _document(self, answer: Answer) -> Any:
        """None for an empty answer."""
        if answer.status == 204 or not answer.body:
            return None
        document = answer.json()
        if document is None and answer.body.strip() != b"null":
            raise Unreachable(
                f"{self.server.url} does not answer like MailRaven (status {answer.status}, {answer.kind})"
            )
        return document

    def _problem(self, answer: Answer, subject: str = "") -> CommandError:
        if 300 <= answer.status < 400:
            return Unreachable(f"{self.server.url} sends to {answer.headers.get('location')}: use that as the URL")
        document = answer.json()
        if not isinstance(document, dict) or "status" not in document:
            return Unreachable(
                f"{self.server.url} does not answer like MailRaven (status {answer.status}, {answer.kind})"
            )
        text = _words(document)
        if answer.status == 404 and subject and subject not in text:
            text = f"{subject}: {text}"
        if answer.status == 401:
            text = (
                f"{self.server.url} refuses the token of {self.server.origin}: `mailraven token add NAME` on the "
                "server's machine makes a new one"
            )
        seconds = answer.retry_after()
        if seconds is not None and answer.status == 429:
            text += f" Try again in {_span(seconds)}."
        return ApiError(answer.status, text, document)


def _subject(where: str, query: dict[str, Any], body: Any) -> str:
    """The name that a 404 is about: that in the path, as in /api/v1/accounts/ann@example.org/totp, or in a filter."""
    segments = where.split("/")
    if len(segments) > 4 and segments[3] in _NAMED:
        return unquote(segments[4])
    chosen = body.get("filter", {}) if isinstance(body, dict) else {}
    found = [given.get(key) for given in (query, chosen) for key in ("account", "key")]
    return next((str(name) for name in found if name), "")


def _words(document: dict[str, Any]) -> str:
    """One line. Values are named as the commands name them, with dots."""
    errors = document.get("errors")
    if not isinstance(errors, list) or not errors:
        return str(document.get("detail") or document.get("title") or "refused")
    named = [
        (str(error.get("pointer", "")), str(error.get("detail", ""))) for error in errors if isinstance(error, dict)
    ]
    parts = []
    for pointer, detail in named[:_SHOWN]:
        name = pointer.strip("/").replace("/", ".").replace("~1", "/").replace("~0", "~")
        detail = "unknown field" if detail.startswith("Extra inputs") else detail
        parts.append(f"{name}: {detail}" if name else detail)
    more = f" (and {len(named) - _SHOWN} more)" if len(named) > _SHOWN else ""
    return "; ".join(parts) + more


def _pause(answer: Answer) -> float | None:
    """How long to wait before another try, when that is worth it."""
    seconds = answer.retry_after()
    if answer.status not in (429, 503) or seconds is None:
        return None
    return seconds if seconds <= _LONGEST_PAUSE else None


def _span(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{math.ceil(seconds / size)} {unit}{'s' if seconds > size else ''}"
    return f"{math.ceil(seconds)} seconds"
