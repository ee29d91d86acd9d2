"""Listening sockets. Workers share a port by SO_REUSEPORT: each has its own socket and queue.

The supervisor only reserves a port: a bound socket that does not listen gets no connections of the group, while a
listening one that nobody accepts from would swallow its share.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from mailraven.app.errors import StartError
from mailraven.app.roles import ListenerKind, Tls
from mailraven.config import ListenersConfig

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener is; the port is never 0."""

    name: str
    host: str
    port: int
    family: socket.AddressFamily
    tls: Tls


class Reservation:
    """Ports that belong to this program until close()."""

    def __init__(self, endpoints: tuple[Endpoint, ...], sockets: Sequence[socket.socket]) -> None:
        self.endpoints = endpoints
        self._sockets = sockets

    def close(self) -> None:
        """Gives the ports up (what listens on them goes on)."""
        for bound in self._sockets:
            bound.close()


def reserve(config: ListenersConfig, kinds: Sequence[ListenerKind]) -> Reservation:
    """Binds every port without listening. Raises StartError when one is taken."""
    endpoints: list[Endpoint] = []
    sockets: list[socket.socket] = []
    try:
        for kind in kinds:
            listener = getattr(config, kind.name)
            bound = _reserve_one(kind.name, listener.host, listener.port)
            sockets.append(bound)
            host, port = bound.getsockname()[:2]
            endpoints.append(Endpoint(kind.name, host, port, bound.family, kind.tls))
    except BaseException:
        for bound in sockets:
            bound.close()
        raise
    return Reservation(tuple(endpoints), sockets)


def listen(endpoint: Endpoint) -> socket.socket:
    """A worker's own socket on the port."""
    bound = _make(endpoint.family, share=True)
    try:
        bound.bind((endpoint.host, endpoint.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise _refusal(endpoint.name, endpoint.host, endpoint.port, error) from None
    bound.setblocking(False)
    return bound


def _reserve_one(name: str, host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
    except OSError as error:
        raise StartError(f"listeners.{name}.host: {host}: {error.strerror}") from None
    if port != 0:
        # Without SO_REUSEPORT: another MailRaven of the same user would otherwise share its port with us.
        with _make(family, share=False) as probe:
            _bind(probe, name, address)
    bound = _make(family, share=True)
    try:
        _bind(bound, name, address)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind(bound: socket.socket, name: str, address: tuple[object, ...]) -> None:
    try:
        bound.bind(address)
    except OSError as error:
        raise _refusal(name, str(address[0]), int(str(address[1])), error) from None


def _make(family: int, *, share: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def _refusal(name: str, host: str, port: int, error: OSError) -> StartError:
    hint = "; choose another with --port-base" if port else ""
    return StartError(f"cannot listen on {host} port {port} ({name}): {error.strerror}{hint}")
