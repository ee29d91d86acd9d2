"""uvicorn's HTTP/1.1 protocol: with a limit on how long a client may take to send a request, and behind balancers."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from mailraven.limits import Occupancy
from mailraven.net.addresses import normalized
from mailraven.net.door import door_of
from mailraven.net.proxied import Client, ProxiedListener

REQUEST_SECONDS = 20.0
_CROWDED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedH11Protocol(H11Protocol):
    """uvicorn itself waits for ever for the first octet, and for the rest of a header that has begun."""

    request_seconds = REQUEST_SECONDS
    vouched: Client | None = None
    """Who the client is, by the word of a load balancer; else the peer of the transport."""
    occupancy: Occupancy | None = None
    """How many connections a client may have; else uvicorn's limit, which one client could use up."""
    _entered: str | None = None
    _expiry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.vouched is not None:
            self.client = self.vouched
        elif self.client is not None:
            self.client = normalized(self.client[0]), self.client[1]
        if self.occupancy is not None and self.client is not None:
            if not self.occupancy.enter(self.client[0]):
                transport.write(_CROWDED)
                transport.close()
                return
            self._entered = self.client[0]
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self.occupancy is not None and self._entered is not None:
            self.occupancy.leave(self._entered)
            self._entered = None
        super().connection_lost(exc)

    def _await_request(self) -> None:
        """Between requests the clock runs, once for each; while one is answered it does not."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._expiry is None:
            self._expiry = self.loop.call_later(self.request_seconds, self._expire)

    def _stop_waiting(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self) -> None:
        self._expiry = None
        if not self.transport.is_closing():
            self.transport.close()


def behind_balancers(
    protocol: type[BoundedH11Protocol], listener: ProxiedListener
) -> Callable[..., asyncio.BaseProtocol]:
    """What uvicorn calls for each connection, with its arguments for the protocol."""

    def door(**arguments: Any) -> asyncio.BaseProtocol:
        def make(client: Client | None) -> BoundedH11Protocol:
            made = protocol(**arguments)
            made.vouched = client
            return made

        return door_of(listener, make, server_first=False)()

    return door
