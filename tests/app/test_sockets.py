"""Ports: reserved by the supervisor, shared by the workers, never shared with a stranger."""

import select
import socket

import pytest

from mailraven.app.errors import StartError
from mailraven.app.roles import LISTENERS, ListenerKind, Role, listeners_of
from mailraven.app.sockets import Endpoint, listen, reserve
from mailraven.config import ListenersConfig, load

IMAP = [ListenerKind("imap", Role.IMAP, "starttls")]


def listeners(host: str = "127.0.0.1", port: int = 0) -> ListenersConfig:
    return load(assignments=[f"listeners.imap.host={host}", f"listeners.imap.port={port}"]).listeners


def test_a_reserved_port_takes_no_connection_before_a_worker_listens() -> None:
    reservation = reserve(listeners(), IMAP)
    [endpoint] = reservation.endpoints
    assert endpoint.port != 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((endpoint.host, endpoint.port), timeout=5)
    reservation.close()


def test_every_connection_reaches_a_worker_while_the_supervisor_holds_the_port() -> None:
    reservation = reserve(listeners(), IMAP)
    [endpoint] = reservation.endpoints
    workers = [listen(endpoint) for _ in range(3)]
    clients = [socket.create_connection((endpoint.host, endpoint.port), timeout=5) for _ in range(60)]
    taken = 0
    while readable := select.select(workers, [], [], 0.2)[0]:
        for worker in readable:
            connection, _ = worker.accept()
            connection.close()
            taken += 1
    assert taken == 60
    for end in (*clients, *workers):
        end.close()
    reservation.close()


def test_another_program_on_the_port_is_noticed() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # another MailRaven would set it too
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"127\.0\.0\.1 port {port} \(imap\): Address already in use"):
            reserve(listeners(port=port), IMAP)


def test_a_port_is_free_again_right_after_connections() -> None:
    reservation = reserve(listeners(), IMAP)
    [endpoint] = reservation.endpoints
    worker = listen(endpoint)
    client = socket.create_connection((endpoint.host, endpoint.port), timeout=5)
    worker.setblocking(True)
    served, _ = worker.accept()
    for end in (served, client, worker):  # the server closes first: TIME_WAIT is on its side
        end.close()
    reservation.close()
    reserve(listeners(port=endpoint.port), IMAP).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_here_is_named(host: str) -> None:
    with pytest.raises(StartError, match=host):
        reserve(listeners(host), IMAP)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_wildcard_takes_ipv4_too() -> None:
    try:
        reservation = reserve(listeners("::"), IMAP)
    except StartError:
        pytest.skip("no IPv6 here")
    [endpoint] = reservation.endpoints
    worker = listen(endpoint)
    socket.create_connection(("127.0.0.1", endpoint.port), timeout=5).close()
    worker.close()
    reservation.close()


def test_every_role_opens_its_listeners_and_ops() -> None:
    assert [kind.name for kind in listeners_of((Role.MX, Role.IMAP))] == ["mx", "imap", "imaps", "ops"]
    assert [kind.name for kind in listeners_of((Role.DELIVERY,))] == ["ops"]
    assert {kind.name for kind in LISTENERS} == set(ListenersConfig.model_fields)


def test_listening_on_a_taken_port_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = Endpoint("imap", "127.0.0.1", other.getsockname()[1], socket.AF_INET, "starttls")
        with pytest.raises(StartError, match="Address already in use"):
            listen(endpoint)
