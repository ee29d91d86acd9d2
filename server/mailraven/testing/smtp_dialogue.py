"""A small SMTP client for tests: raw octets over a real socket, replies as code and lines."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """One reply: its code and its lines without the code."""

    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code of the last line, or ''."""
        first = self.lines[-1].partition(" ")[0]
        return first if first.count(".") == 2 and first.replace(".", "").isdigit() else ""

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    @property
    def codes(self) -> str:
        """`550 5.1.1`, as tests compare it."""
        return f"{self.code} {self.enhanced}".strip()


class Dialogue:
    """One connection. Every wait is bounded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.greeting = Answer(0, ("",))

    @classmethod
    async def connect(cls, host: str, port: int, tls: ssl.SSLContext | None = None) -> Dialogue:
        """Connect and read the greeting."""
        name = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
        client = cls(reader, writer)
        client.greeting = await client.reply()
        return client

    async def __aenter__(self) -> Dialogue:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close without QUIT."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), _TIMEOUT)
        except (OSError, TimeoutError):
            pass

    def reset_connection(self) -> None:
        """Go away at once."""
        self._writer.transport.abort()

    async def send(self, octets: bytes) -> None:
        """Octets as they are."""
        self._writer.write(octets)
        await asyncio.wait_for(self._writer.drain(), _TIMEOUT)

    def half_close(self) -> None:
        """No more octets from us."""
        self._writer.write_eof()

    async def reply(self, timeout: float = _TIMEOUT) -> Answer:
        """The next reply. EOFError when the server has closed."""
        lines: list[str] = []
        while True:
            try:
                line = await asyncio.wait_for(self._reader.readuntil(b"\r\n"), timeout)
            except asyncio.IncompleteReadError as error:
                raise EOFError(bytes(error.partial)) from None
            except ConnectionError as error:
                raise EOFError(str(error)) from None
            if not line[:3].isdigit() or line[3:4] not in (b" ", b"-"):
                raise AssertionError(f"not a reply: {line!r}")
            lines.append(line[4:-2].decode())
            if line[3:4] == b" ":
                return Answer(int(line[:3]), tuple(lines))

    async def closed(self, timeout: float = _TIMEOUT) -> bytes:
        """What comes until the server closes."""
        try:
            return await asyncio.wait_for(self._reader.read(), timeout)
        except ConnectionError:
            return b""

    async def command(self, line: str | bytes) -> Answer:
        """Send one line and read its reply."""
        await self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def expect(self, line: str | bytes, codes: str) -> Answer:
        """As command(), and the reply must have these codes: `250 2.0.0`, or `354`."""
        answer = await self.command(line)
        if codes not in (answer.codes, str(answer.code)):
            raise AssertionError(f"{line!r} was answered {answer}, not {codes}")
        return answer

    async def ehlo(self, name: str = "client.example") -> Answer:
        """EHLO that must work."""
        return await self.expect(f"EHLO {name}", "250")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS and the handshake."""
        await self.expect("STARTTLS", "220")
        await asyncio.wait_for(self._writer.start_tls(context, server_hostname="localhost"), _TIMEOUT)

    async def login(self, login: str, password: str) -> Answer:
        """AUTH PLAIN with an initial response."""
        token = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        return await self.command(f"AUTH PLAIN {token}")

    async def data(self, octets: bytes) -> Answer:
        """DATA, these octets as they are, CRLF.CRLF; the reply at the end."""
        await self.expect("DATA", "354")
        await self.send(octets + b"\r\n.\r\n")
        return await self.reply()

    async def message(self, sender: str, recipients: Sequence[str], content: bytes) -> Answer:
        """A whole transaction; `content` ends with CRLF and is dot-stuffed here."""
        await self.expect(f"MAIL FROM:<{sender}>", "250")
        for recipient in recipients:
            await self.expect(f"RCPT TO:<{recipient}>", "250")
        return await self.data(stuff(content).removesuffix(b"\r\n"))


def stuff(content: bytes) -> bytes:
    """RFC 5321 §4.5.2, line by line."""
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
