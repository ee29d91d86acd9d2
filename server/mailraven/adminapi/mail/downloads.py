"""Octets of messages as answers: piece by piece, always as a download, never as something a browser would run."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from mailraven.adminapi.mail.memory import OctetBudget
from mailraven.adminapi.mail.naming import attachment
from mailraven.adminapi.mail.reading import Place, Read, locate, read
from mailraven.adminapi.mail.transfer_encoding import decoder
from mailraven.mailstore import BodyRef, Mailstore

_PIECE = 512 << 10
_ON_LOOP = 32 << 10
_COPIES = 3  # of a message while it is parsed: its octets, decoded texts
# What browsers and viewers show without running anything; all else goes as plain octets.
_SAFE_TYPES = frozenset(
    ("text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/zip")
)
_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


async def parsed(mailstore: Mailstore, budget: OctetBudget, ref: BodyRef) -> Read:
    """A message as data."""
    async with budget.hold(_COPIES * ref.size):
        raw = await mailstore.read(ref)
        return read(raw) if len(raw) <= _ON_LOOP else await asyncio.to_thread(read, raw)


async def find_part(mailstore: Mailstore, budget: OctetBudget, ref: BodyRef, section: str) -> Place | None:
    """Where a part is; None: there is none of that number."""
    async with budget.hold(_COPIES * ref.size):
        raw = await mailstore.read(ref)
        return locate(raw, section) if len(raw) <= _ON_LOOP else await asyncio.to_thread(locate, raw, section)


async def raw_message(mailstore: Mailstore, ref: BodyRef, name: str) -> StreamingResponse:
    """The message as it came in, octet for octet."""
    first = await mailstore.read(ref, 0, _PIECE)  # what cannot be read is said before the answer begins
    headers = {**_HEADERS, "Content-Disposition": attachment(name), "Content-Length": str(ref.size)}
    return StreamingResponse(_pieces(mailstore, ref, first, 0, ref.size), 200, headers, "message/rfc822")


async def part(mailstore: Mailstore, ref: BodyRef, place: Place, name: str) -> StreamingResponse:
    """A part, decoded."""
    length = place.end - place.start
    first = await mailstore.read(ref, place.start, min(_PIECE, length))
    kind = place.type if place.type in _SAFE_TYPES else "application/octet-stream"
    if kind == "text/plain":
        kind += f"; charset={place.charset or 'us-ascii'}"
    pieces = _decoded(_pieces(mailstore, ref, first, place.start, place.end), place.encoding)
    headers = {**_HEADERS, "Content-Disposition": attachment(place.name or name), "Content-Type": kind}
    return StreamingResponse(pieces, 200, headers)


async def _pieces(mailstore: Mailstore, ref: BodyRef, first: bytes, start: int, end: int) -> AsyncIterator[bytes]:
    yield first
    for offset in range(start + len(first), end, _PIECE):
        yield await mailstore.read(ref, offset, min(_PIECE, end - offset))


async def _decoded(pieces: AsyncIterator[bytes], encoding: bytes) -> AsyncIterator[bytes]:
    decoding = decoder(encoding)
    async for piece in pieces:
        yield decoding.feed(piece)
    yield decoding.end()
