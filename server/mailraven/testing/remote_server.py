"""Another host's SMTP server for tests of delivery: takes mail, or answers each stage as it is told.

It writes down every octet of the data, so that tests see what really left.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

DROP = b""
"""Instead of a reply: close the connection."""
HANG = None
"""Instead of a reply: say nothing until the client leaves."""

Reply = bytes | None
Script = dict[str, Reply | list[Reply] | Callable[[str], Reply | Awaitable[Reply]]]
"""By stage: connect, ehlo, helo, starttls, mail, rcpt, data, early (when the first octets of the data come), dot,
quit. A list is used up one reply at a time, then the default holds; a function is given the command and may be
asynchronous."""

_DEFAULTS: dict[str, bytes] = {
    "connect": b"220 remote.test ESMTP",
    "helo": b"250 remote.test",
    "starttls": b"220 2.0.0 go ahead",
    "mail": b"250 2.1.0 sender ok",
    "rcpt": b"250 2.1.5 recipient ok",
    "data": b"354 go ahead",
    "dot": b"250 2.0.0 queued as 42",
    "quit": b"221 2.0.0 bye",
    "rset": b"250 2.0.0 ok",
    "noop": b"250 2.0.0 ok",
}


@dataclass
class Transaction:
    """Mail that came to the end of its data. `content` is what the sender meant: dots undone."""

    mail: str
    recipients: list[str]
    wire: bytes
    tls: bool

    @property
    def content(self) -> bytes:
        """Without the dots of RFC 5321 §4.5.2."""
        lines = self.wire.split(b"\r\n")
        return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@dataclass
class RemoteServer:
    """`async with RemoteServer(...) as server`; port 0 takes a free one."""

    script: Script = field(default_factory=dict)
    address: str = "127.0.0.1"
    port: int = 0
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    tls: ssl.SSLContext | None = None
    name: str = "remote.test"
    commands: list[str] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    """Those that were answered by 2xx or by silence or a drop after the dot."""
    connections: int = 0
    open_connections: int = 0
    most_open: int = 0
    _server: asyncio.Server | None = None
    _sessions: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> RemoteServer:
        listening = socket.create_server((self.address, self.port))
        self.port = listening.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=listening, limit=1 << 24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def reply(self, stage: str, command: str = "") -> Reply:
        """The next one for a stage."""
        entry = self.script.get(stage, _DEFAULTS.get(stage, b"500 5.5.2 unknown"))
        if isinstance(entry, list):
            return entry.pop(0) if entry else _DEFAULTS.get(stage, b"250 ok")
        if callable(entry):
            answer = entry(command)
            return await answer if isinstance(answer, Awaitable) else answer
        return entry

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)
        self.connections += 1
        self.open_connections += 1
        self.most_open = max(self.most_open, self.open_connections)
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError, TimeoutError):
                await writer.wait_closed()


class _Gone(ConnectionError):
    """The script ends the session."""


@dataclass
class _Session:
    server: RemoteServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    encrypted: bool = False
    mail: str = ""
    recipients: list[str] = field(default_factory=list)

    async def run(self) -> None:
        if not await self._answer("connect"):
            return
        while line := await self.reader.readline():
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            self.server.commands.append(command)
            verb = command.partition(" ")[0].lower()
            handler = {"ehlo": self._ehlo, "starttls": self._starttls, "data": self._data}.get(verb)
            if handler is not None:
                await handler(command)
                continue
            good = await self._answer(verb, command)
            if verb == "mail" and good:
                self.mail, self.recipients = command.partition(":")[2], []
            elif verb == "rcpt" and good:
                self.recipients.append(command.partition(":")[2])
            elif verb == "quit":
                return

    async def _answer(self, stage: str, command: str = "") -> bool:
        return await self._say(await self.server.reply(stage, command))

    async def _say(self, reply: Reply) -> bool:
        """Whether it was 2xx or 3xx."""
        if reply is HANG:
            await self.reader.read(-1)
            raise _Gone
        if reply == DROP:
            raise _Gone
        self.writer.write(reply + b"\r\n")
        await self.writer.drain()
        return reply[:1] in b"23"

    async def _ehlo(self, command: str) -> None:
        if "ehlo" in self.server.script:
            await self._answer("ehlo", command)
            return
        words = [self.server.name, *self.server.extensions]
        if self.server.tls is not None and not self.encrypted:
            words.append("STARTTLS")
        lines = [f"250{' ' if n == len(words) - 1 else '-'}{word}" for n, word in enumerate(words)]
        await self._say("\r\n".join(lines).encode())

    async def _starttls(self, command: str) -> None:
        if not await self._answer("starttls", command) or self.server.tls is None:
            return
        await self.writer.start_tls(self.server.tls)
        self.encrypted = True

    async def _data(self, command: str) -> None:
        if not await self._answer("data", command):
            return
        if "early" in self.server.script:
            await self.reader.readexactly(1)
            await self._answer("early")
            await self.reader.read(-1)
            raise _Gone
        end = b"\r\n.\r\n"
        wire = bytearray(b"\r\n")  # an empty message ends with ".CRLF" at once
        while not wire.endswith(end):
            wire += await self.reader.readline()
        reply = await self.server.reply("dot")
        if reply in (HANG, DROP) or reply[:1] == b"2":
            self.server.transactions.append(Transaction(self.mail, self.recipients, bytes(wire[2:-3]), self.encrypted))
        await self._say(reply)
