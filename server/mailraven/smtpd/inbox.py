"""What came from the peer and nobody has taken yet: one buffer, one waiting reader, back pressure."""

import asyncio

_PAUSE_AT = 256 * 1024  # octets in the buffer at which the transport stops reading


class Inbox:
    """The reader takes from the front of `buffer` what it likes and asks for more when it is stuck."""

    __slots__ = ("_loop", "_paused", "_transport", "_waiter", "buffer", "ended")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.buffer = bytearray()
        self.ended = False  # nothing more will come
        self._loop = loop
        self._transport: asyncio.ReadTransport | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def attach(self, transport: asyncio.ReadTransport) -> None:
        """The transport to pause; a new one after STARTTLS."""
        self._transport = transport
        self._paused = False

    def put(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > _PAUSE_AT and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        """Lets the reader look again, also without news."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def more(self) -> None:
        """Returns when something changed; at once when the end has come."""
        if self.ended:
            return
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
