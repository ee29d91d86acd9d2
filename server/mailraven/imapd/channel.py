"""The writing half of a connection and its flow control both ways: neither side makes the other's memory grow."""

from __future__ import annotations

import asyncio

from mailraven.imap.response import Status


class Channel(asyncio.Protocol):
    """Base of Connection: owns the transport. What is written after close() is dropped."""

    __slots__ = ("_blocked", "_closing_since", "_loop", "_lost", "_reading_paused", "_transport")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._blocked: asyncio.Future[None] | None = None
        """The client does not read as fast as we write."""
        self._closing_since = 0.0
        self._lost = False
        self._reading_paused = False

    def pause_writing(self) -> None:
        """Called by the transport: enough is waiting to be sent."""
        if self._blocked is None:
            self._blocked = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by the transport: the client has read."""
        blocked, self._blocked = self._blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_result(None)

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._closing_since:
            self._transport.write(data)

    async def _drain(self) -> None:
        """Wait until the client has read enough. ConnectionResetError: it has gone."""
        if self._blocked is not None:
            await self._blocked

    def _say_bye(self, status: Status) -> None:
        self._write(status.untagged())
        self._close()

    def _close(self) -> None:
        if not self._closing_since:
            self._closing_since = self._loop.time()
            if self._transport is not None:
                self._transport.close()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
