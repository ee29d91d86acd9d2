"""The door before a real protocol over real sockets, on both event loops: who is let in, as whom, and when."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from mailraven.net.addresses import Networks
from mailraven.net.door import door_of
from mailraven.net.listening import listen
from mailraven.net.proxied import Client, ProxiedListener
from mailraven.proxy import LOCAL_V2, SIGNATURE_V2
from mailraven.telemetry import metrics
from mailraven.tls import TlsContexts
from mailraven.tls.selfsigned import ensure_self_signed

V1 = b"PROXY TCP4 192.0.2.9 198.51.100.2 4321 25\r\n"
V2 = (
    SIGNATURE_V2
    + b"\x21\x11"
    + struct.pack("!H", 15)
    + socket.inet_aton("192.0.2.9")
    + socket.inet_aton("198.51.100.2")
    + struct.pack("!HH", 4321, 25)
    + b"\x04\x00\x00"
)
MAPPED = (
    SIGNATURE_V2
    + b"\x21\x21"
    + struct.pack("!H", 36)
    + 2 * socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.9")
    + struct.pack("!HH", 4321, 25)
)
TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
WAIT = 10.0


class Service(asyncio.Protocol):
    """Says whom it serves, if it speaks first, and then everything it hears in brackets."""

    def __init__(self, client: Client | None, *, greets: bool, secured: bool) -> None:
        self.client, self.greets, self.secured = client, greets, secured

    def connection_made(self, transport: Any) -> None:
        assert (transport.get_extra_info("ssl_object") is not None) is self.secured
        self.transport = transport
        who = self.client[0] if self.client else transport.get_extra_info("peername")[0]
        self.name = who.encode()
        if self.greets:
            transport.write(b"220 %s\r\n" % self.name)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"[%s:%s]" % (self.name, data))


class Peer:
    """One connection to the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def hears(self, octets: bytes) -> None:
        got = await asyncio.wait_for(self.reader.readexactly(len(octets)), WAIT)
        assert got == octets

    async def is_cut(self) -> None:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(self.reader.read(), WAIT) == b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class Site:
    """A listener under test."""

    def __init__(self, port: int, listener: ProxiedListener | None) -> None:
        self.port, self.listener = port, listener
        self.peers: list[Peer] = []

    async def connect(self, *, source: str = TRUSTED) -> Peer:
        opened = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.peers.append(Peer(*opened))
        return self.peers[-1]


@asynccontextmanager
async def site(
    *,
    required: bool = False,
    greets: bool = True,
    tls: ssl.SSLContext | None = None,
    header_timeout: float = 5.0,
    accept_wait: float = 5.0,
) -> AsyncIterator[Site]:
    listener = ProxiedListener(
        "mx", Networks([TRUSTED]), required=required, header_timeout=header_timeout, accept_wait=accept_wait
    )
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)

    def make(client: Client | None) -> Service:
        return Service(client, greets=greets, secured=tls is not None)

    # A server that does not speak first and has no TLS is HTTP's case.
    if tls is None and not greets:
        server = await asyncio.get_running_loop().create_server(
            door_of(listener, make, server_first=False), sock=listening
        )
    else:
        server = await listen(make, listening, tls=tls, tls_timeout=5.0, proxied=listener)
    running = Site(listening.getsockname()[1], listener)
    try:
        yield running
    finally:
        server.close()
        for peer in running.peers:
            await peer.close()
        await server.wait_closed()


Run = Callable[[Callable[[], Awaitable[None]]], list[Any]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scene in a loop of its own; what was logged."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def go(scene: Callable[[], Awaitable[None]]) -> list[Any]:
        failures: list[dict[str, Any]] = []

        async def whole() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
            async with asyncio.timeout(30):
                await scene()

        with capture_logs() as logs, asyncio.Runner(loop_factory=factory) as runner:
            runner.run(whole())
        assert failures == []
        return [entry for entry in logs if entry["event"] == "proxy_refused"]

    return go


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client."""
    directory = tmp_path_factory.mktemp("tls") / "tls"
    files = ensure_self_signed(directory, ["localhost"], dt.datetime.now(dt.UTC))
    client = ssl.create_default_context(cafile=str(files.ca_file))
    return TlsContexts(files.cert_file, files.key_file).server_context(), client


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("header", [V1, V2, MAPPED], ids=["v1", "v2", "mapped"])
@pytest.mark.parametrize("greets", [True, False])
def test_a_trusted_peer_says_who_the_client_is(run: Run, required: bool, header: bytes, greets: bool) -> None:
    async def scene() -> None:
        async with site(required=required, greets=greets) as here:
            peer = await here.connect()
            await peer.says(header + b"EHLO")
            await peer.hears((b"220 192.0.2.9\r\n" if greets else b"") + b"[192.0.2.9:EHLO]")
            await peer.says(b"MAIL")
            await peer.hears(b"[192.0.2.9:MAIL]")

    assert run(scene) == []


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_header_may_come_octet_by_octet(run: Run, header: bytes) -> None:
    async def scene() -> None:
        async with site(required=True) as here:
            peer = await here.connect()
            peer.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in header:
                await peer.says(bytes([octet]))
                await asyncio.sleep(0)
            await peer.hears(b"220 192.0.2.9\r\n")

    assert run(scene) == []


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("header", [LOCAL_V2, b"PROXY UNKNOWN\r\n"])
def test_a_balancer_that_speaks_for_itself_is_itself(run: Run, header: bytes, required: bool) -> None:
    async def scene() -> None:
        async with site(required=required) as here:
            peer = await here.connect()
            await peer.says(header)
            await peer.hears(b"220 127.0.0.1\r\n")

    assert run(scene) == []


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("header", [V1, V2, b"", LOCAL_V2])
@pytest.mark.parametrize("greets", [True, False])
def test_a_stranger_is_refused_if_a_header_is_sent_or_required(
    run: Run, required: bool, header: bytes, greets: bool
) -> None:
    before = metrics.PROXY_REFUSED.labels("mx", "untrusted")._value.get()

    async def scene() -> None:
        async with site(required=required, greets=greets) as here:
            peer = await here.connect(source=STRANGER)
            if not required and greets:
                await peer.hears(b"220 127.0.0.2\r\n")  # as itself, and without waiting
            with suppress(ConnectionError):
                await peer.says(header or b"EHLO")
            if required or header:
                await peer.is_cut()
            else:
                await peer.hears(b"[127.0.0.2:EHLO]")

    refused = run(scene)
    if required or header:
        assert [(entry["ip"], entry["reason"], entry["listener"]) for entry in refused] == [
            (STRANGER, "untrusted", "mx")
        ]
        assert metrics.PROXY_REFUSED.labels("mx", "untrusted")._value.get() == before + 1
    else:
        assert refused == []


def test_accept_serves_a_silent_trusted_peer_after_a_short_time(run: Run) -> None:
    async def scene() -> None:
        async with site(accept_wait=0.05) as here:
            peer = await here.connect()
            await peer.hears(b"220 127.0.0.1\r\n")
            await peer.says(b"\r\nEHLO")
            await peer.hears(b"[127.0.0.1:\r\nEHLO]")

    assert run(scene) == []


@pytest.mark.parametrize("header", [V1, V2, V1[:8]], ids=["v1", "v2", "half"])
def test_a_header_after_the_greeting_is_never_taken_for_words_of_the_client(run: Run, header: bytes) -> None:
    async def scene() -> None:
        async with site(accept_wait=0.05) as here:
            peer = await here.connect()
            await peer.hears(b"220 127.0.0.1\r\n")
            await peer.says(header)
            await peer.is_cut()

    assert [entry["reason"] for entry in run(scene)] == ["late"]


def test_accept_serves_a_trusted_peer_that_speaks_at_once_without_a_header(run: Run) -> None:
    async def scene() -> None:
        async with site() as here:
            peer = await here.connect()
            await peer.says(b"EHLO")
            await peer.hears(b"220 127.0.0.1\r\n[127.0.0.1:EHLO]")

    assert run(scene) == []


def test_first_octets_that_could_be_a_header_do_not_wait_for_ever(run: Run) -> None:
    async def scene() -> None:
        async with site(accept_wait=0.05) as here:
            peer = await here.connect(source=STRANGER)
            await peer.hears(b"220 127.0.0.2\r\n")
            await peer.says(b"\r\n")
            await peer.hears(b"[127.0.0.2:\r\n]")
            await peer.says(b"PROXY ")  # what begins now is the client's business
            await peer.hears(b"[127.0.0.2:PROXY ]")

    assert run(scene) == []


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "missing"),
        (b"EHLO client\r\n", "missing"),
        (b"\x16\x03\x01", "missing"),
        (V1[:20], "malformed"),
        (V2[:20], "malformed"),
        (b"PROXY nonsense\r\n", "malformed"),
        (b"PROXY TCP4 300.1.1.1 1.1.1.1 1 1\r\n", "malformed"),
        (b"PROXY UNKNOWN " + b"x" * 200, "malformed"),
        (SIGNATURE_V2 + b"\x21\x11\xff\xff" + b"x" * 100, "malformed"),
    ],
)
def test_require_refuses_everything_but_a_whole_header_in_time(run: Run, sent: bytes, reason: str) -> None:
    async def scene() -> None:
        async with site(required=True, header_timeout=0.1) as here:
            began = time.monotonic()
            peer = await here.connect()
            await peer.says(sent)
            await peer.is_cut()
            assert time.monotonic() - began < 5

    assert [entry["reason"] for entry in run(scene)] == [reason]


def test_a_half_header_and_silence_end_under_accept_too(run: Run) -> None:
    async def scene() -> None:
        async with site(header_timeout=0.2, accept_wait=0.05) as here:
            peer = await here.connect()
            await peer.says(V1[:20])
            await peer.is_cut()

    assert [entry["reason"] for entry in run(scene)] == ["malformed"]


@pytest.mark.parametrize("required", [True, False])
def test_a_probe_that_only_connects_is_no_event(run: Run, required: bool) -> None:
    async def scene() -> None:
        async with site(required=required) as here:
            peer = await here.connect()
            peer.writer.write_eof()
            await peer.is_cut()

    assert run(scene) == []


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("together", [True, False])
def test_the_handshake_follows_the_header_even_in_one_packet(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext], required: bool, header: bytes, together: bool
) -> None:
    async def scene() -> None:
        async with site(required=required, tls=contexts[0]) as here:
            peer = await Tls.begin(here, contexts[1], header if together else b"", first=b"" if together else header)
            assert await peer.read(15) == b"220 192.0.2.9\r\n"
            await peer.says(b"EHLO")
            assert await peer.read(16) == b"[192.0.2.9:EHLO]"

    assert run(scene) == []


def test_accept_with_tls_takes_a_handshake_without_header(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with site(tls=contexts[0]) as here:
            for source, name in ((TRUSTED, b"127.0.0.1"), (STRANGER, b"127.0.0.2")):
                peer = await Tls.begin(here, contexts[1], b"", source=source)
                assert await peer.read(15) == b"220 %s\r\n" % name

    assert run(scene) == []


def test_tls_of_a_stranger_with_a_header_is_refused(run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def scene() -> None:
        async with site(tls=contexts[0]) as here:
            peer = await here.connect(source=STRANGER)
            await peer.says(V2)
            await peer.is_cut()

    assert [entry["reason"] for entry in run(scene)] == ["untrusted"]


def test_words_in_one_packet_with_the_end_of_the_handshake_are_heard(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with site(required=True, tls=contexts[0]) as here:
            peer = await Tls.begin(here, contexts[1], V1, early=b"EHLO")
            assert await peer.read(31) == b"220 192.0.2.9\r\n[192.0.2.9:EHLO]"

    assert run(scene) == []


def test_no_handshake_behind_the_header_ends_quietly(run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def scene() -> None:
        async with site(required=True, tls=contexts[0]) as here:
            peer = await here.connect()
            await peer.says(V1 + b"EHLO plain text\r\n")
            await asyncio.wait_for(peer.reader.read(), WAIT)  # perhaps an alert

    assert run(scene) == []


class Tls:
    """A client whose handshake we hold in our hands, to choose what goes into which packet."""

    def __init__(self, peer: Peer, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self.peer, self.tls, self.incoming, self.outgoing = peer, tls, incoming, outgoing

    @classmethod
    async def begin(
        cls,
        here: Site,
        context: ssl.SSLContext,
        header: bytes,
        *,
        source: str = TRUSTED,
        first: bytes = b"",
        early: bytes = b"",
    ) -> Tls:
        peer = await here.connect(source=source)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = cls(peer, context.wrap_bio(incoming, outgoing, server_hostname="localhost"), incoming, outgoing)
        if first:
            await peer.says(first)
            await asyncio.sleep(0.05)  # two packets: the header is read before the handshake comes
        while True:
            try:
                client.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await peer.says(header + outgoing.read())
                header = b""
                await client.feed()
        if early:
            client.tls.write(early)
        await peer.says(outgoing.read())
        return client

    async def feed(self) -> None:
        data = await asyncio.wait_for(self.peer.reader.read(65536), WAIT)
        assert data, "the server has closed"
        self.incoming.write(data)

    async def says(self, octets: bytes) -> None:
        self.tls.write(octets)
        await self.peer.says(self.outgoing.read())

    async def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            try:
                got += self.tls.read(size - len(got))
            except ssl.SSLWantReadError:
                await self.feed()
        return got


def test_a_listener_without_proxies_is_served_directly(run: Run) -> None:
    async def scene() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        made: list[Service] = []

        def make(client: Client | None) -> Service:
            made.append(Service(client, greets=True, secured=False))
            return made[-1]

        server = await listen(make, listening, tls=None, tls_timeout=5.0, proxied=None)
        here = Site(listening.getsockname()[1], None)
        peer = await here.connect()
        await peer.hears(b"220 127.0.0.1\r\n")
        assert made[0].transport.get_protocol() is made[0]
        server.close()
        await peer.close()
        await server.wait_closed()

    assert run(scene) == []


def test_after_the_header_nothing_stands_between(run: Run, tmp_path: Path) -> None:
    async def scene() -> None:
        listener = ProxiedListener("mx", Networks([TRUSTED]), required=True)
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        made: list[Service] = []

        def make(client: Client | None) -> Service:
            made.append(Service(client, greets=True, secured=False))
            return made[-1]

        server = await listen(make, listening, tls=None, tls_timeout=5.0, proxied=listener)
        peer = await Site(listening.getsockname()[1], listener).connect()
        await peer.says(V2)
        await peer.hears(b"220 192.0.2.9\r\n")
        assert made[0].transport.get_protocol() is made[0]
        server.close()
        await peer.close()
        await server.wait_closed()

    assert run(scene) == []
