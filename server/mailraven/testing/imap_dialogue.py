"""A small IMAP client for tests: raw lines over a real socket, nothing interpreted but literals and tags."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from types import TracebackType

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """Everything until the tagged line; `text` is that line without tag and status."""

    status: str
    text: str
    untagged: list[bytes] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The name of the response code, or ''."""
        match = re.match(r"\[([^ \]]+)", self.text)
        return match[1] if match else ""

    def lines(self, word: str) -> list[bytes]:
        """Untagged lines that have the word as their first or second one, without '* ' and CRLF."""
        wanted = word.encode().upper()
        return [line for line in self.untagged if wanted in line.upper().split(b" ", 2)[:2]]


class Dialogue:
    """One connection. Every wait is bounded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tags = 0
        self.greeting = b""

    @classmethod
    async def connect(cls, host: str, port: int, tls: ssl.SSLContext | None = None) -> Dialogue:
        """Connect and read the greeting."""
        name = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name, limit=1 << 24)
        client = cls(reader, writer)
        client.greeting = await client.line()
        return client

    async def __aenter__(self) -> Dialogue:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close without LOGOUT."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), _TIMEOUT)
        except (OSError, TimeoutError):
            pass

    async def send(self, data: bytes) -> None:
        """Octets as they are."""
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), _TIMEOUT)

    async def line(self, timeout: float = _TIMEOUT) -> bytes:
        """One response line with its literals, without the last CRLF. EOFError when the server has closed."""
        parts: list[bytes] = []
        while True:
            try:
                part = await asyncio.wait_for(self._reader.readuntil(b"\r\n"), timeout)
            except asyncio.IncompleteReadError as error:
                raise EOFError(bytes(error.partial)) from None
            except ConnectionError as error:
                raise EOFError(str(error)) from None
            parts.append(part)
            literal = _LITERAL.search(part)
            if literal is None:
                return b"".join(parts)[:-2]
            parts.append(await asyncio.wait_for(self._reader.readexactly(int(literal[1])), timeout))

    async def closed(self, timeout: float = _TIMEOUT) -> bytes:
        """What comes until the server closes."""
        try:
            return await asyncio.wait_for(self._reader.read(), timeout)
        except ConnectionError:
            return b""

    async def command(self, text: str | bytes, *literals: bytes) -> Answer:
        """Send one command and read to its tagged line.

        Each literal answers one continuation request; `text` must then end in `{n}` and later literals carry the
        text between them themselves.
        """
        tag = await self.start(text)
        for literal in literals:
            line = await self.line()
            if not line.startswith(b"+"):
                return await self.answer(tag, [line])
            await self.send(literal)
        return await self.answer(tag)

    async def start(self, text: str | bytes) -> bytes:
        """Send one command and return its tag."""
        self._tags += 1
        tag = b"t%d" % self._tags
        await self.send(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        return tag

    async def answer(self, tag: bytes, lines: list[bytes] | None = None) -> Answer:
        """Read to the tagged line."""
        untagged: list[bytes] = []
        waiting = list(lines or ())
        while True:
            line = waiting.pop(0) if waiting else await self.line()
            if line.startswith(tag + b" "):
                status, _, text = line[len(tag) + 1 :].decode("utf-8", "replace").partition(" ")
                return Answer(status, text, untagged)
            untagged.append(line[2:] if line.startswith(b"* ") else line)

    async def ok(self, text: str | bytes, *literals: bytes) -> Answer:
        """As command(), and it must be OK."""
        return _expect("OK", await self.command(text, *literals))

    async def no(self, text: str | bytes, *literals: bytes, code: str | None = None) -> Answer:
        """As command(), and it must be NO, with that response code."""
        answer = _expect("NO", await self.command(text, *literals))
        if code is not None and answer.code != code:
            raise AssertionError(f"expected [{code}]: {answer}")
        return answer

    async def bad(self, text: str | bytes, *literals: bytes) -> Answer:
        """As command(), and it must be BAD."""
        return _expect("BAD", await self.command(text, *literals))

    async def append(self, mailbox: str, message: bytes, arguments: str = "") -> Answer:
        """APPEND with a synchronising literal."""
        middle = f" {arguments}" if arguments else ""
        return await self.command(f"APPEND {mailbox}{middle} {{{len(message)}}}", message + b"\r\n")

    async def login(self, user: str, password: str) -> None:
        """LOGIN that must work."""
        await self.ok(f'LOGIN "{user}" "{password}"')

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS and the handshake."""
        await self.ok("STARTTLS")
        await asyncio.wait_for(self._writer.start_tls(context, server_hostname="localhost"), _TIMEOUT)

    async def idle(self) -> bytes:
        """Enter IDLE; returns the tag, for done()."""
        tag = await self.start("IDLE")
        line = await self.line()
        if not line.startswith(b"+"):
            raise AssertionError(f"expected a continuation request: {line!r}")
        return tag

    async def done(self, tag: bytes) -> Answer:
        """Leave IDLE."""
        await self.send(b"DONE\r\n")
        return await self.answer(tag)


def _expect(status: str, answer: Answer) -> Answer:
    if answer.status != status:
        raise AssertionError(f"expected {status}: {answer}")
    return answer
