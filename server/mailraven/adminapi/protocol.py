"""uvicorn's HTTP/1.1 protocol with a limit on how long a client may take to send a request."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0


class BoundedH11Protocol(H11Protocol):
    """uvicorn itself waits for ever for the first octet, and for the rest of a header that has begun."""

    request_seconds = REQUEST_SECONDS
    _expiry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
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
