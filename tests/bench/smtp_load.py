"""SMTP deliveries over many connections: one epoll loop, pipelined envelopes (RFC 2920), messages made beforehand."""

import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

ENVELOPE_SENDER = "bench@sender.test"
_GREETING, _EHLO, _ENVELOPE, _CONTENT = range(4)
_EXPECTED = {_GREETING: (b"2",), _EHLO: (b"2",), _ENVELOPE: (b"2", b"2", b"3"), _CONTENT: (b"2",)}


class Refused(Exception):
    """The server said something else than expected; its line."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery, as octets to send. `user` is the recipient's number."""

    user: int
    envelope: bytes
    content: bytes

    @classmethod
    def to(cls, user: int, recipient: str, message: bytes) -> "Letter":
        """Of a message without lines that begin with a dot."""
        envelope = f"MAIL FROM:<{ENVELOPE_SENDER}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
        return cls(user, envelope, message + b".\r\n")


@dataclass(slots=True)
class Sent:
    """When the last octet went out and when the 250 came in (time.perf_counter)."""

    user: int
    dot: float
    accepted: float


@dataclass(slots=True)
class Connection:
    """One client. `letter` is under way."""

    socket: socket.socket
    state: int = _GREETING
    received: bytes = b""
    pending: memoryview = field(default_factory=lambda: memoryview(b""))
    letter: Letter | None = None
    dot: float = 0.0

    @classmethod
    def open(cls, address: tuple[str, int]) -> "Connection":
        """The greeting and EHLO are still to come."""
        opened = socket.create_connection(address, timeout=30)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        return cls(opened)

    def send(self, data: bytes) -> bool:
        """False: the rest waits in `pending` until the socket is writable."""
        view = memoryview(data)
        try:
            view = view[self.socket.send(view) :]
        except BlockingIOError:
            pass
        self.pending = view
        return not view

    def flush(self) -> bool:
        """As send(), with what is pending."""
        try:
            self.pending = self.pending[self.socket.send(self.pending) :]
        except BlockingIOError:
            pass
        return not self.pending

    def step(self) -> bool:
        """Reads; true when all replies of the present state have come."""
        data = self.socket.recv(65536)
        if not data:
            raise Refused("connection closed")
        self.received += data
        if self.received[-2:] != b"\r\n":
            return False
        replies = [line for line in self.received.split(b"\r\n")[:-1] if line[3:4] != b"-"]
        expected = _EXPECTED[self.state]
        for line, first in zip(replies, expected, strict=False):
            if line[:1] != first:
                raise Refused(line.decode("utf-8", "replace"))
        if len(replies) < len(expected):
            return False
        self.received = b""
        return True


class Sender:
    """Sends letters over `count` connections, each as fast as the server answers."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._poll = select.epoll()
        self._connections = {c.socket.fileno(): c for c in (Connection.open(address) for _ in range(count))}
        for number in self._connections:
            self._poll.register(number, select.EPOLLIN)
        self.sent: list[Sent] = []

    def prepare(self, timeout: float = 60.0) -> None:
        """Greeting and EHLO on every connection, so that they are not part of what is measured."""
        waiting = set(self._connections)
        deadline = time.monotonic() + timeout
        while waiting:
            for number, _ in self._events(deadline):
                connection = self._connections[number]
                if not connection.step():
                    continue
                if connection.state == _GREETING:
                    connection.state = _EHLO
                    connection.send(b"EHLO bench.sender.test\r\n")
                else:
                    connection.state = _ENVELOPE
                    waiting.discard(number)

    def run(self, letters: Sequence[Letter], timeout: float) -> None:
        """Until the last 250. Raises Refused at the first refusal."""
        remaining: Iterator[Letter] = iter(letters)
        deadline = time.monotonic() + timeout
        busy = sum(self._begin(connection, remaining) for connection in self._connections.values())
        while busy:
            for number, event in self._events(deadline):
                connection = self._connections[number]
                if event & select.EPOLLOUT and connection.flush():
                    connection.dot = time.perf_counter()
                    self._poll.modify(number, select.EPOLLIN)
                if event & ~select.EPOLLOUT and connection.step():
                    busy -= not self._advance(number, connection, remaining)

    def _begin(self, connection: Connection, remaining: Iterator[Letter]) -> bool:
        connection.letter = next(remaining, None)
        connection.state = _ENVELOPE
        if connection.letter is None:
            return False
        connection.send(connection.letter.envelope)
        return True

    def _advance(self, number: int, connection: Connection, remaining: Iterator[Letter]) -> bool:
        letter = connection.letter
        assert letter is not None
        if connection.state == _ENVELOPE:
            connection.state = _CONTENT
            if connection.send(letter.content):
                connection.dot = time.perf_counter()
            else:
                self._poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
            return True
        self.sent.append(Sent(letter.user, connection.dot, time.perf_counter()))
        return self._begin(connection, remaining)

    def _events(self, deadline: float) -> list[tuple[int, int]]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server took too long")
        return self._poll.poll(left)

    def close(self) -> None:
        """Without ceremony."""
        for connection in self._connections.values():
            connection.socket.close()
        self._poll.close()
