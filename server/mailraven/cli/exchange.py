"""Requests and answers over one kept connection (RFC 9110, RFC 9112)."""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection, RemoteDisconnected
from typing import Any
from urllib.parse import urlencode, urlsplit

from mailraven import __version__

_MOST_OCTETS = 256 * 1024 * 1024
_FRESH_SECONDS = 2.0  # servers close what is idle for longer, just when it is used again
_IDEMPOTENT = ("GET", "PUT", "DELETE")  # RFC 9110 §9.2.2


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields (their names in lower case), content."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """Its media type, for people."""
        return self.headers.get("content-type", "no type").partition(";")[0]

    def json(self) -> Any:
        """None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def retry_after(self) -> float | None:
        """Seconds (RFC 9110 §10.2.3)."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return seconds if 0 <= seconds < 10**9 else None


class Exchange:
    """With one server, one request at a time. Redirects are not followed: the token is for this server only."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._prefix = parts.path.rstrip("/")
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = parts.scheme == "https"
        self._timeout = timeout
        self._fixed = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": f"mailraven-cli/{__version__}",
        }
        self._connection: HTTPConnection | None = None
        self._used = 0.0

    def close(self) -> None:
        """The connection; the next request makes another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self, method: str, where: str, query: Mapping[str, Any], content: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Raises OSError, HTTPException."""
        given = {key: value for key, value in query.items() if value is not None}
        target = self._prefix + where
        if given:
            target += "?" + urlencode({key: _word(value) for key, value in given.items()}, doseq=True)
        fields = {**self._fixed, **headers}
        if content is not None:
            fields["Content-Type"] = "application/json"
        if time.monotonic() - self._used > _FRESH_SECONDS:
            self.close()
        kept = self._connection is not None
        try:
            return self._once(method, target, content, fields)
        except (RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not kept or method not in _IDEMPOTENT:
                raise
        except BaseException:
            self.close()  # what is left of the answer is not that of the next request
            raise
        return self._once(method, target, content, fields)

    def _once(self, method: str, target: str, content: bytes | None, fields: Mapping[str, str]) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(method, target, content, dict(fields))
        response = self._connection.getresponse()
        body = response.read(_MOST_OCTETS + 1)
        if len(body) > _MOST_OCTETS:
            raise HTTPException("the answer is too large")
        self._used = time.monotonic()
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, body)

    def _connect(self) -> HTTPConnection:
        if self._tls:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout)


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
