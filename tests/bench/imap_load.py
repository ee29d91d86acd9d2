"""IMAP under load: appends over several connections, sessions in IDLE, timed commands."""

import select
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from imap_client import EXISTS, ImapClient


class Appender:
    """APPENDs with LITERAL+ (RFC 7888), one under way on each connection."""

    def __init__(self, clients: Sequence[ImapClient]) -> None:
        self._poll = select.epoll()
        self._clients = {client.socket.fileno(): client for client in clients}
        self._tags = dict.fromkeys(self._clients, b"")
        for number in self._clients:
            self._poll.register(number, select.EPOLLIN)

    def run(self, messages: Sequence[bytes], mailbox: str, timeout: float) -> None:
        """Until the last OK. Raises RuntimeError at the first NO or BAD."""
        requests = iter(_requests(messages, mailbox))
        deadline = time.monotonic() + timeout
        busy = sum(self._begin(number, requests) for number in self._clients)
        while busy:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the server took too long")
            for number, _ in self._poll.poll(left):
                self._clients[number].finish(self._tags[number])
                busy -= not self._begin(number, requests)

    def _begin(self, number: int, requests: Iterator[tuple[bytes, bytes]]) -> bool:
        self._tags[number], request = next(requests, (b"", b""))
        if request:
            self._clients[number].socket.sendall(request)
        return bool(request)


def _requests(messages: Sequence[bytes], mailbox: str) -> list[tuple[bytes, bytes]]:
    """Tag and octets of each command; every second message is seen."""
    made = []
    for number, message in enumerate(messages):
        tag = b"append%d" % number
        flags = b"" if number % 2 else b"\\Seen"
        made.append(
            (tag, b'%s APPEND "%s" (%s) {%d+}\r\n%s\r\n' % (tag, mailbox.encode(), flags, len(message), message))
        )
    return made


@dataclass(slots=True)
class Session:
    """An IDLE session; `seen[k]` is when the message base+k+1 was announced (time.perf_counter)."""

    socket: socket.socket
    base: int
    received: bytes = b""
    seen: list[float] = field(default_factory=list)

    def read(self) -> None:
        """What the server announces. Over TLS too: the responses fit into one record."""
        data = self.socket.recv(16384)
        now = time.perf_counter()
        if not data:
            raise RuntimeError("the IMAP server closed an idle session")
        self.received += data
        *lines, self.received = self.received.split(b"\r\n")
        for line in lines:
            if found := EXISTS.match(line):
                self.seen += [now] * (int(found[1]) - self.base - len(self.seen))


class IdleSessions:
    """Sessions that have selected INBOX and are in IDLE, each with the user whose turn it is."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self.all: list[tuple[int, Session]] = []  # with the user's number
        self._by_number: dict[int, Session] = {}

    def open(
        self, address: tuple[str, int], users: Sequence[tuple[str, str]], count: int, context: ssl.SSLContext | None
    ) -> None:
        """Opens `count` sessions, one after another."""
        for index in range(count):
            client = ImapClient(address, context)
            client.login(*users[index % len(users)])
            base = client.select("INBOX")
            client.idle()
            session = Session(client.socket, base)
            self._by_number[client.socket.fileno()] = session
            self.all.append((index % len(users), session))
            self._poll.register(client.socket.fileno(), select.EPOLLIN)

    def listen(self, seconds: float) -> None:
        """Reads what is announced, at most that long."""
        for number, _ in self._poll.poll(max(seconds, 0)):
            self._by_number[number].read()

    def fileno(self) -> int:
        """Readable when a session has something to read."""
        return self._poll.fileno()


def time_command(client: ImapClient, command: str) -> tuple[float, int]:
    """Seconds and how much was found: untagged responses, or numbers of a SEARCH."""
    begin = time.perf_counter()
    answer = client.command(command)
    seconds = time.perf_counter() - begin
    if "SEARCH" in command:
        line = next((line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH")), b"* SEARCH")
        return seconds, len(line.split()) - 2
    return seconds, answer.count(b"\r\n* ") + answer.startswith(b"* ")
