"""The door of a listener behind load balancers: learns by the PROXY protocol who the client is, then steps aside.

It reads exactly the header and not an octet more, so that a TLS handshake may follow on the same transport.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Callable
from typing import cast

import structlog

from mailraven.net.addresses import normalized
from mailraven.net.proxied import Client, Make, ProxiedListener, Reason
from mailraven.proxy import SIGNATURE_V1, SIGNATURE_V2, Malformed, NeedMore, NotProxy, Proxied, parse

_log = structlog.get_logger(component="net")


def door_of(
    listener: ProxiedListener,
    make: Make,
    *,
    server_first: bool,
    tls: ssl.SSLContext | None = None,
    tls_timeout: float | None = None,
) -> Callable[[], asyncio.BaseProtocol]:
    """For loop.create_server(), without `ssl`: with `tls` the handshake follows the header."""
    return functools.partial(Door, listener, make, server_first=server_first, tls=tls, tls_timeout=tls_timeout)


class Door(asyncio.BufferedProtocol):
    """One connection until its client is known.

    With `accept` a server that speaks first cannot wait for what may never come: who is not trusted is served at
    once, a trusted peer after a short time. The first octets are looked at all the same, so that no header is ever
    taken for the client's words.
    """

    def __init__(
        self,
        listener: ProxiedListener,
        make: Make,
        *,
        server_first: bool,
        tls: ssl.SSLContext | None,
        tls_timeout: float | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make = make
        self._server_first = server_first
        self._tls = tls
        self._tls_timeout = tls_timeout
        self._transport: asyncio.Transport | None = None
        self._ip = ""
        self._trusted = False
        self._data = bytearray()
        self._space = bytearray()
        self._wanted = 1
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None
        self._peeking: socket.socket | None = None
        self._inner: asyncio.Protocol | None = None  # greeted already, while the first octets are awaited

    # -- called by the transport -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        listener, peer = self._listener, transport.get_extra_info("peername")
        self._ip = normalized(str(peer[0])) if peer else ""
        self._trusted = self._ip in listener.trusted
        if listener.required and not self._trusted:
            self._refuse("untrusted")
            return
        self._look()
        if listener.required or not self._server_first:
            self._wait(listener.header_timeout)
            if self._tls is not None and not listener.required:
                self._loop.call_soon(self._peek)  # uvloop begins to read when this has returned
        elif self._trusted:
            self._wait(listener.accept_wait)
        else:
            self._greet()

    def get_buffer(self, sizehint: int) -> bytearray:
        self._space = bytearray(self._wanted)
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._data += self._space[:nbytes]
        self._look()

    def eof_received(self) -> bool:
        if self._inner is None:  # a probe, or somebody who has changed his mind
            return False
        inner = self._inner
        self._step_aside()
        return bool(inner.eof_received())

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._transport = None
        if self._inner is not None:
            self._inner.connection_lost(exc)

    # -- what the first octets are -----------------------------------------------------------------------------

    def _look(self) -> None:
        match parsed := parse(bytes(self._data)):
            case NeedMore(octets):
                self._wanted = octets
                if self._is_header() and (self._inner is not None or not self._trusted):
                    self._refuse_header()
                elif self._data and not (self._begun or self._listener.required):
                    self._begun = True
                    self._wait(self._listener.header_timeout if self._trusted else self._listener.accept_wait)
            case NotProxy():
                if self._listener.required:
                    self._refuse("missing")
                else:
                    self._admit(None, 0)
            case Malformed(fault):
                self._refuse("malformed", fault.value)
            case _ if self._inner is not None or not self._trusted:
                self._refuse_header()
            case _:
                client = (normalized(parsed.source[0]), parsed.source[1]) if isinstance(parsed, Proxied) else None
                self._admit(client, parsed.length)

    def _is_header(self) -> bool:
        """Nobody else's first words are like this."""
        return self._data.startswith((SIGNATURE_V1, SIGNATURE_V2))

    def _refuse_header(self) -> None:
        self._refuse("late" if self._trusted else "untrusted")

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._time_out)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._peeking is not None:
            self._loop.remove_reader(self._peeking.fileno())
            self._peeking.close()
            self._peeking = None

    def _time_out(self) -> None:
        self._timer = None
        if self._listener.required or (self._data and self._inner is None and self._trusted):
            self._refuse("malformed" if self._data else "missing", "no whole header in time")
        elif self._inner is None and self._server_first:
            self._greet()
        else:
            self._admit(None, 0)  # what came is the word of a client, whatever he means

    # -- ways out ----------------------------------------------------------------------------------------------

    def _refuse(self, reason: Reason, detail: str = "") -> None:
        self._stop_waiting()
        self._listener.refused(self._ip, reason, detail)
        if self._transport is not None:
            self._transport.abort()

    def _greet(self) -> None:
        """The protocol begins, while this one goes on to listen."""
        if self._transport is not None:
            self._inner = self._make(None)
            self._inner.connection_made(self._transport)

    def _admit(self, client: Client | None, length: int) -> None:
        self._stop_waiting()
        del self._data[:length]
        if self._transport is None or self._transport.is_closing():
            return
        if self._tls is not None:
            self._transport.pause_reading()  # at once: what follows is the handshake's
            task = self._loop.create_task(self._secure(self._transport, self._tls, client), name="proxied-handshake")
            self._listener.handshakes.add(task)
            task.add_done_callback(self._listener.handshakes.discard)
            return
        if self._inner is None:
            inner = self._make(client)
            self._replace(inner)
            inner.connection_made(self._transport)
            self._pass_on(inner)
        else:
            self._step_aside()

    def _step_aside(self) -> None:
        self._stop_waiting()
        inner, self._inner = self._inner, None
        if inner is not None:
            self._replace(inner)
            self._pass_on(inner)

    def _replace(self, inner: asyncio.Protocol) -> None:
        if self._transport is not None:
            # The ways of reading differ: uvloop changes them only for a transport that is not reading.
            self._transport.pause_reading()
            self._transport.set_protocol(inner)
            self._transport.resume_reading()

    def _pass_on(self, inner: asyncio.Protocol) -> None:
        if self._data:
            inner.data_received(bytes(self._data))
            self._data.clear()

    # -- implicit TLS ------------------------------------------------------------------------------------------

    def _peek(self) -> None:
        """A header may come or not: the first octet tells, and must not be taken from the handshake."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        with contextlib.suppress(OSError):
            self._peeking = socket.socket(fileno=socket.dup(self._transport.get_extra_info("socket").fileno()))
            self._peeking.setblocking(False)
            self._loop.add_reader(self._peeking.fileno(), self._peeked)

    def _peeked(self) -> None:
        if self._peeking is None or self._transport is None:
            return
        try:
            first = self._peeking.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if first and isinstance(parse(first), NotProxy):
            self._admit(None, 0)
            return
        self._loop.remove_reader(self._peeking.fileno())
        self._peeking.close()
        self._peeking = None
        self._transport.resume_reading()

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext, client: Client | None) -> None:
        early = _Early()
        try:
            secured = await self._loop.start_tls(
                transport, early, tls, server_side=True, ssl_handshake_timeout=self._tls_timeout
            )
        except OSError as error:  # ssl.SSLError is one
            _log.info("TLS handshake failed", listener=self._listener.name, ip=self._ip, error=type(error).__name__)
            transport.abort()
            return
        if secured is None or early.lost:
            return
        inner = self._make(client)
        secured.set_protocol(inner)
        inner.connection_made(secured)
        if early.data:
            inner.data_received(bytes(early.data))
        if early.ended:
            inner.eof_received()


class _Early(asyncio.Protocol):
    """Keeps what comes in one piece with the end of the handshake."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = self.lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
