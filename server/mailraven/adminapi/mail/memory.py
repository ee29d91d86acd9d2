"""How many octets of messages the API of one process holds in memory, and reading bodies within that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from mailraven.adminapi.problems import ApiProblem

_WAIT_SECONDS = 10.0
_CHUNK_SECONDS = 30.0
_BODY_SECONDS = 900.0


class OctetBudget:
    """Who asks for more than all of it gets all of it, alone."""

    def __init__(self, octets: int) -> None:
        self._total = octets
        self._free = octets
        self._changed = asyncio.Condition()

    @property
    def free(self) -> int:
        """Octets that nobody holds."""
        return self._free

    @asynccontextmanager
    async def hold(self, octets: int) -> AsyncIterator[None]:
        """Waits for room. Raises ApiProblem 503 when there is none for some seconds."""
        octets = min(max(octets, 0), self._total)
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._free >= octets)
                self._free -= octets
        except TimeoutError:
            raise ApiProblem(
                503, "Too many large messages are in work; try again later.", headers={"Retry-After": "10"}
            ) from None
        try:
            yield
        finally:
            self._free += octets
            async with self._changed:
                self._changed.notify_all()


@asynccontextmanager
async def body(request: Request, budget: OctetBudget, limit: int, *, copies: int = 1) -> AsyncIterator[bytes]:
    """The request's body, `limit` octets at most. `copies`: how often it is in memory while it is worked on.

    Raises ApiProblem 413, 408, 503.
    """
    declared = _declared(request)
    if declared is not None and declared > limit:
        raise too_large(limit)
    async with budget.hold(copies * (limit if declared is None else declared)):
        yield await _read(request, limit if declared is None else declared)


def too_large(limit: int) -> ApiProblem:
    """The answer to a body beyond its limit."""
    return ApiProblem(413, f"The message is larger than {limit} octets.", headers={"Connection": "close"})


async def _read(request: Request, limit: int) -> bytes:
    pieces = bytearray()
    stream = request.stream()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                async with asyncio.timeout(_CHUNK_SECONDS):
                    piece = await anext(stream, None)
                if piece is None:
                    return bytes(pieces)
                if len(pieces) + len(piece) > limit:
                    raise too_large(limit)
                pieces += piece
    except TimeoutError:
        raise ApiProblem(408, "The body came too slowly.", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ApiProblem(400, "The connection ended within the body.") from None


def _declared(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
