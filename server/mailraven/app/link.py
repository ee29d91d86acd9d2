"""The line between the supervisor and a worker: "ready" and heartbeats go up; its end means the other one died."""

import asyncio
import os
import socket
from collections.abc import Callable

READY = b"R"
BEAT = b"."
BEAT_INTERVAL = 2.0


class WorkerLink:
    """The worker's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.setblocking(False)

    def ready(self) -> None:
        """Every listener of this worker accepts."""
        self._send(READY)

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            self._send(BEAT)
            await asyncio.sleep(BEAT_INTERVAL)

    def watch(self, loop: asyncio.AbstractEventLoop, died: Callable[[], None]) -> None:
        """Calls `died` when the supervisor is gone."""
        loop.add_reader(self._end.fileno(), self._readable, died)

    def _readable(self, died: Callable[[], None]) -> None:
        try:
            gone = not self._end.recv(64)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            died()

    def _send(self, octet: bytes) -> None:
        try:
            self._end.send(octet)
        except OSError:
            return  # full: the supervisor is busy; closed: watch() sees it


def end_at_once() -> None:
    """As SIGKILL would: what was acknowledged is durable, nothing else counts."""
    os._exit(3)
