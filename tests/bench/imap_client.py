"""A blocking IMAP client that costs little: it looks for the tagged line and keeps the rest as octets."""

import re
import socket
import ssl
import time

_MESSAGES = re.compile(rb"MESSAGES (\d+)")
EXISTS = re.compile(rb"\* (\d+) EXISTS")


class ImapClient:
    """Raises RuntimeError with the server's words when a command fails."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(address, timeout=120)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        self._tags = 0
        self._read_until(b"\r\n")

    def login(self, user: str, password: str) -> None:
        """LOGIN."""
        self.command(f'LOGIN "{user}" "{password}"')

    def command(self, text: str) -> bytes:
        """All that came until the tagged OK."""
        return self.finish(self.begin(text))

    def begin(self, text: str) -> bytes:
        """Sends a command: its tag, for finish()."""
        self._tags += 1
        tag = b"bench%d" % self._tags
        self.socket.sendall(tag + b" " + text.encode() + b"\r\n")
        return tag

    def finish(self, tag: bytes) -> bytes:
        """All that came until the tagged OK of the only command under way."""
        received = bytearray()
        marker = b"\r\n" + tag + b" "
        while True:
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                raise RuntimeError("the IMAP server closed the connection")
            received += chunk
            if chunk[-2:] != b"\r\n":
                continue
            tail = bytes(received[-2048:])
            at = 0 if tail.startswith(marker[2:]) else tail.rfind(marker) + 2
            if at >= 2 or tail.startswith(marker[2:]):
                if not tail[at + len(tag) + 1 :].startswith(b"OK"):
                    raise RuntimeError(tail[at:].decode("utf-8", "replace").strip())
                return bytes(received)

    def count(self, mailbox: str) -> int:
        """Messages, by STATUS."""
        return parse_count(self.command(f'STATUS "{mailbox}" (MESSAGES)'))

    def select(self, mailbox: str) -> int:
        """Messages."""
        found = EXISTS.search(self.command(f'SELECT "{mailbox}"'))
        return int(found[1]) if found else 0

    def idle(self) -> None:
        """Enter IDLE for good."""
        self.begin("IDLE")
        self._read_until(b"+")

    def _read_until(self, first: bytes) -> None:
        received = b""
        deadline = time.monotonic() + 60
        while first not in received or not received.endswith(b"\n"):
            chunk = self.socket.recv(4096)
            if not chunk or time.monotonic() > deadline:
                raise RuntimeError(f"the IMAP server said {received!r} and closed")
            received += chunk

    def close(self) -> None:
        """Without LOGOUT."""
        self.socket.close()


def parse_count(answer: bytes) -> int:
    """The messages that STATUS says."""
    found = _MESSAGES.search(answer)
    if found is None:
        raise RuntimeError(f"no MESSAGES in {answer!r}")
    return int(found[1])
