"""Behind a load balancer that speaks the PROXY protocol: the whole server knows its clients."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from imaplib import IMAP4
from typing import Any

import pytest

from mailraven.proxy import SIGNATURE_V2
from mailraven.testing.running import RunningServer

ADDRESS = "jane@example.test"
CLIENTS = {"smtp": "192.0.2.1", "submissions": "192.0.2.2", "imaps": "192.0.2.3", "http": "192.0.2.4"}
LISTENERS = {"smtp": "mx", "submissions": "submissions", "imaps": "imaps", "http": "http"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = {f"listeners.{name}.proxy_protocol": "require" for name in ("mx", "submissions", "imaps")}
    settings |= {
        "listeners.http.proxy_protocol": "accept",
        "listeners.imap.proxy_protocol": "accept",
        "proxy.trusted_networks": "127.0.0.1",
        "proxy.accept_wait": "50ms",
        "log.level": "info",
        "log.format": "json",
    }
    with RunningServer(tmp_path_factory.mktemp("proxied"), users=[ADDRESS], workers=1, settings=settings) as running:
        yield running


def header(client: str) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton("198.51.100.1")
    return SIGNATURE_V2 + b"\x21\x11" + struct.pack("!H", 12) + addresses + struct.pack("!HH", 50000, 25)


def where(server: RunningServer, listener: str) -> tuple[str, int]:
    if listener != "http":
        return server.address(listener)
    host, _, port = server.ready["http"]["url"].removeprefix("http://").rpartition(":")
    return host, int(port)


def connected(server: RunningServer, listener: str) -> socket.socket:
    """As the balancer connects for a client."""
    made = socket.create_connection(where(server, listener), timeout=20)
    made.sendall(header(CLIENTS[listener]))
    return made


def secured(made: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(made)


class Mx(smtplib.SMTP):
    """smtplib on a connection that is there."""

    def __init__(self, made: socket.socket) -> None:
        super().__init__(timeout=20, local_hostname="client.example")
        self.sock = made
        code, _ = self.getreply()
        assert code == 220


class Imap(IMAP4):
    """imaplib on a connection that is there."""

    def __init__(self, made: socket.socket) -> None:
        self.made = made
        super().__init__("", 0)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self.made


def logged(server: RunningServer, event: str, **fields: Any) -> dict[str, Any]:
    """The line of the log, when it is there."""
    deadline = time.monotonic() + 20
    while True:
        for line in server.log.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                found = json.loads(line)
                if found.get("message") == event and fields.items() <= found.items():
                    return found
        assert time.monotonic() < deadline, (event, fields, server.log_tail())
        time.sleep(0.02)


def test_every_protocol_knows_the_client_behind_the_balancer(server: RunningServer) -> None:
    with Mx(connected(server, "smtp")) as mx:
        mx.sendmail("bob@far.example", [ADDRESS], "Subject: in\r\n\r\nHello.\r\n")
    with Mx(secured(connected(server, "submissions"))) as submission:
        submission.login(ADDRESS, server.passwords[ADDRESS])
        submission.sendmail(ADDRESS, [ADDRESS], "Subject: out\r\n\r\nHello.\r\n")
    imap = Imap(secured(connected(server, "imaps")))
    imap.login(ADDRESS, server.passwords[ADDRESS])
    imap.select("INBOX")
    _, found = imap.fetch("1:2", "(BODY.PEEK[HEADER])")
    headers = [part[1].decode() for part in found if isinstance(part, tuple)]
    imap.logout()
    with connected(server, "http") as http:
        http.sendall(b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n")
        assert b" 401 " in http.recv(65536).split(b"\r\n")[0]
    assert ["192.0.2.1" in text for text in headers] == [True, False]
    assert ["192.0.2.2" in text for text in headers] == [False, True]
    assert all("127.0.0.1" not in text for text in headers)
    logged(server, "connection closed", role="mx", peer="192.0.2.1")
    logged(server, "connection closed", role="submission", peer="192.0.2.2")
    logged(server, "logged in", peer="192.0.2.3")
    logged(server, "authentication_failed", ip="192.0.2.4")


@pytest.mark.parametrize("listener", list(LISTENERS))
def test_a_stranger_who_claims_to_be_somebody_else_is_refused(server: RunningServer, listener: str) -> None:
    stranger = socket.create_connection(where(server, listener), timeout=20, source_address=("127.0.0.2", 0))
    with stranger, suppress(ConnectionError):
        stranger.sendall(header("192.0.2.99"))
        assert stranger.recv(1) == b""
    logged(server, "proxy_refused", listener=LISTENERS[listener], ip="127.0.0.2", reason="untrusted")
    assert "192.0.2.99" not in server.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("listener", "words"), [("smtp", b"EHLO x\r\n"), ("http", b"")])
def test_a_balancer_without_a_header_is_refused_only_where_one_is_required(
    server: RunningServer, listener: str, words: bytes
) -> None:
    with socket.create_connection(where(server, listener), timeout=20) as bare:
        bare.sendall(words or b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            answer = bare.recv(100)
            assert answer.startswith(b"HTTP/1.1 ") if listener == "http" else answer == b""
    if listener == "smtp":
        logged(server, "proxy_refused", listener="mx", ip="127.0.0.1", reason="missing")


def test_the_health_checks_are_the_balancers_own(server: RunningServer) -> None:
    with socket.create_connection(where(server, "http"), timeout=20) as ops:
        ops.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: ops.recv(65536), b""))
    components = json.loads(answer.partition(b"\r\n\r\n")[2])["components"]
    assert {name: components[name]["status"] for name in ("smtp", "imap", "submission")} == {
        "smtp": "healthy",
        "imap": "healthy",
        "submission": "healthy",
    }


def test_accept_serves_whoever_sends_no_header(server: RunningServer) -> None:
    for source in ("127.0.0.1", "127.0.0.2"):
        with socket.create_connection(server.address("imap"), timeout=20, source_address=(source, 0)) as client:
            assert client.recv(100).startswith(b"* OK")
