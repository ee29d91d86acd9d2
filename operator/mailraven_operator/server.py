"""The admin API of the MailRaven server, and what its lists said last.

Listings are shared by everybody who asks within some seconds: that is what makes a resync of 1,000 users cheap.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from mailraven_operator.listing import CachedListing

_PREFIX = "/api/v1/"
_TIMEOUT = 60.0  # seconds for one request: a deleted domain takes its mail along
_PAGE = 1000  # the most that the server gives at once
_TRIES = 4
_LONGEST_PAUSE = 15.0  # seconds that we wait when the server says "later"; beyond it the resource is tried again


class ServerUnreachable(Exception):
    """No server answers, or not like one. To be tried again."""


class ServerRefused(Exception):
    """The server says no, in its own words (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str, field: str = "") -> None:
        """`field`: the pointer of the first wrong value, such as /limits/messages."""
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field


def path(*segments: str) -> str:
    """`path("accounts", "ann@example.org")` is /api/v1/accounts/ann@example.org; ValueError for what is no name."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise ValueError(f"{segment!r} is no name")
    return _PREFIX + "/".join(quote(segment, safe="@") for segment in segments)


class Server:
    """A client. `where` is always what `path` made, or a constant of the same form; bodies are JSON.

    All methods raise ServerUnreachable and ServerRefused. 429 and 503 are tried again when the server says that it
    takes no longer than some seconds.
    """

    def __init__(self, url: str, token_file: Path, *, listing_seconds: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._token = ""
        self._session: aiohttp.ClientSession | None = None
        self._accounts = CachedListing(lambda: self._listed("accounts", "address"), listing_seconds)
        self._domains = CachedListing(lambda: self._listed("domains", "name"), listing_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(self, where: str, query: Mapping[str, str] | None = None) -> tuple[Any, str] | None:
        """The document and its ETag ("" when it has none); None: 404."""
        try:
            document, etag = await self._call("GET", where, query=query)
        except ServerRefused as error:
            if error.status == 404:
                return None
            raise
        return document, etag

    async def put(self, where: str, body: Any, *, etag: str | None = None) -> Any:
        """Makes or replaces. `etag`: refused with 412 when somebody was faster."""
        return await self._change("PUT", where, body, etag=etag)

    async def patch(self, where: str, body: Any, *, etag: str | None = None) -> Any:
        """Changes the fields that are named."""
        return await self._change("PATCH", where, body, etag=etag)

    async def post(self, where: str, body: Any = None, *, query: Mapping[str, str] | None = None) -> Any:
        """Makes one, or does something."""
        return await self._change("POST", where, body, query=query)

    async def delete(self, where: str, *, query: Mapping[str, str] | None = None, etag: str | None = None) -> bool:
        """False: there was nothing."""
        try:
            await self._change("DELETE", where, None, query=query, etag=etag)
        except ServerRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def pages(self, where: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """All items of a list."""
        items: list[Any] = []
        asked = {"limit": str(_PAGE), **(query or {})}
        while True:
            page, _ = await self._call("GET", where, query=asked)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise ServerUnreachable(f"{self._url} does not answer like MailRaven (no list at {where})")
            items += page["items"]
            if not page.get("next"):
                return items
            asked["cursor"] = page["next"]

    async def accounts(self) -> Mapping[str, dict[str, Any]]:
        """Every account by its address, as GET /accounts shows it; some seconds old."""
        return await self._accounts.all()

    async def account(self, address: str) -> dict[str, Any] | None:
        """One account as GET /accounts/ADDRESS shows it: from the list, or asked for when we changed it since."""
        return await self._accounts.one(address, lambda: self._document(path("accounts", address)))

    async def domains(self) -> Mapping[str, dict[str, Any]]:
        """Every domain by its name, as GET /domains shows it; some seconds old."""
        return await self._domains.all()

    async def domain(self, name: str) -> dict[str, Any] | None:
        """One domain as GET /domains/NAME shows it: from the list, or asked for when we changed it since."""
        return await self._domains.one(name, lambda: self._document(path("domains", name)))

    def forget(self) -> None:
        """What the lists said: the next question asks the server."""
        self._accounts.clear()
        self._domains.clear()

    async def _listed(self, noun: str, key: str) -> dict[str, dict[str, Any]]:
        return {item[key]: item for item in await self.pages(path(noun))}

    async def _document(self, where: str) -> dict[str, Any] | None:
        found = await self.read(where)
        return None if found is None else found[0]

    async def _change(
        self,
        method: str,
        where: str,
        body: Any,
        *,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> Any:
        try:
            document, _ = await self._call(method, where, body, query=query, etag=etag)
        finally:  # also when it failed: it may have been done all the same
            self._outdate(where)
        return document

    def _outdate(self, where: str) -> None:
        """A change of or below a domain or an account makes what the lists say of it old."""
        for noun, listing in (("accounts", self._accounts), ("domains", self._domains), ("admins", self._accounts)):
            if where.startswith(f"{_PREFIX}{noun}/"):
                listing.outdate(_unquoted(where.split("/")[4]))
            elif where == _PREFIX + noun:
                listing.clear()

    async def _call(
        self,
        method: str,
        where: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> tuple[Any, str]:
        if not where.startswith(_PREFIX):
            raise ValueError(f"{where!r} is no path of the API")
        headers = {"Accept": "application/json"}
        if etag:
            headers["If-Match"] = etag
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
        read_again = False
        for left in reversed(range(_TRIES)):
            answer = await self._exchange(method, where, data, query or {}, headers)
            if answer.status == 401 and not read_again and await self._new_token():
                read_again = True
                continue
            pause = answer.pause()
            if pause is None or left == 0:
                break
            await asyncio.sleep(pause)
        return answer.document(self._url), answer.etag

    async def _exchange(
        self, method: str, where: str, data: bytes | None, query: Mapping[str, str], headers: dict[str, str]
    ) -> "_Answer":
        if not self._token:
            await self._new_token()
        sent = headers | {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._opened().request(
                    method, self._url + where, data=data, params=query, headers=sent, allow_redirects=False
                ) as response,
            ):
                return _Answer(response.status, response.headers, await response.read())
        except TimeoutError:
            raise ServerUnreachable(f"{self._url} does not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ServerUnreachable(f"{self._url} cannot be reached ({_reason(error)})") from None

    async def _new_token(self) -> bool:
        """Reads the file again; whether another token was in it."""
        try:
            token = (await asyncio.to_thread(self._token_file.read_text, encoding="utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ServerUnreachable(f"the file of the token cannot be read ({type(error).__name__})") from None
        if not token or not token.isascii() or not token.isprintable():
            raise ServerUnreachable("the file of the token holds no token")
        changed, self._token = token != self._token, token
        return changed

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=10.0),
                headers={"User-Agent": "mailraven-operator"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
            )
        return self._session


class _Answer:
    """What came back, read to the end."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.etag = headers.get("ETag", "")
        self._retry_after = headers.get("Retry-After", "")
        self._content = content

    def pause(self) -> float | None:
        """Seconds to wait before another try, when that is worth it."""
        if self.status not in (429, 503):
            return None
        try:
            seconds = float(self._retry_after)
        except ValueError:
            return None
        return max(seconds, 0.05) if seconds <= _LONGEST_PAUSE else None

    def document(self, url: str) -> Any:
        """None for an empty answer."""
        document = _json(self._content)
        if 200 <= self.status < 300:
            if self._content.strip() in (b"", b"null"):
                return None
            if document is None:
                raise ServerUnreachable(f"{url} does not answer like MailRaven (status {self.status}, no JSON)")
            return document
        if not isinstance(document, dict) or "status" not in document or self.status < 400:
            raise ServerUnreachable(f"{url} does not answer like MailRaven (status {self.status})")
        if self.status in (502, 503, 504):
            raise ServerUnreachable(f"{url} is not ready: {document.get('detail') or document.get('title')}")
        raise _refusal(self.status, document)


def _refusal(status: int, document: dict[str, Any]) -> ServerRefused:
    errors = [error for error in document.get("errors") or () if isinstance(error, dict)]
    detail, field = str(document.get("detail") or ""), ""
    if errors:
        field = str(errors[0].get("pointer", ""))
        detail = "; ".join(f"{error.get('pointer', '')}: {error.get('detail', '')}" for error in errors[:5])
    return ServerRefused(status, str(document.get("title") or ""), detail, field)


def _reason(error: Exception) -> str:
    """Of an OSError its own words (no address, no port); of others their class."""
    text = getattr(error, "strerror", None)
    return str(text) if text else type(error).__name__


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _unquoted(segment: str) -> str:
    from urllib.parse import unquote

    return unquote(segment)
