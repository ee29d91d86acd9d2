"""One SMTP connection to one address of one host, on aiosmtplib (RFC 5321, 1870, 2034, 3207, 6152, 6531).

aiosmtplib's own data command normalises line ends; here the content goes out octet for octet.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import aiosmtplib

from mailraven.delivery import content as wire
from mailraven.delivery.outcome import Outcome, Result, said
from mailraven.delivery.replies import RemoteReply, parse_reply, safe_text

# TimeoutError and ssl.SSLError are OSErrors; a ValueError is a name that TLS or a command line cannot carry.
CONNECTION_ERRORS = (aiosmtplib.SMTPException, OSError, EOFError)
_BLOCK_SECONDS = 180.0  # RFC 5321 §4.5.3.2.5
_QUIT_SECONDS = 5.0
_CLOSING = 421


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; `data` is for the reply to the final dot (RFC 5321 §4.5.3.2)."""

    connect: float = 30.0
    command: float = 300.0
    data: float = 600.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction: a sender, its recipients, and what the content asks of the server."""

    return_path: str
    recipients: tuple[str, ...]
    needs_smtputf8: bool = False
    eight_bit: bool = False


@dataclass(slots=True)
class Progress:
    """How far an attempt came, for the one who interrupts it."""

    dot_sent: bool = False


class HostFailed(Exception):
    """This address will not do now; another may. `answers` holds what it had decided for some recipients."""

    def __init__(self, outcome: Outcome, answers: list[Outcome | None] | None = None) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
        self.answers = answers or []


class TlsFailed(Exception):
    """STARTTLS was offered and did not work: without it on a new connection (RFC 7435 §3, RFC 3207 §4.1)."""


class LeaseOver(Exception):
    """The recipients may belong to another worker by now."""


@dataclass(slots=True)
class RemoteSession:
    """`host` is the name by which the address was found. Open it, send, then quit or abort."""

    host: str
    address: str
    port: int
    own_name: str
    timeouts: Timeouts
    tls: ssl.SSLContext | None
    cipher: str = ""
    _client: aiosmtplib.SMTP = field(init=False)

    def __post_init__(self) -> None:
        self._client = aiosmtplib.SMTP(local_hostname=self.own_name, timeout=self.timeouts.command, start_tls=False)

    @property
    def remote_mta(self) -> str:
        """For the log, the queue and DSNs."""
        return f"{self.host} [{self.address}]"

    async def open(self) -> None:
        """Connect, greet, and encrypt if the server can. HostFailed, TlsFailed."""
        try:
            await self._connect()
            await self._greet()
            if self.tls is not None and self._client.supports_extension("starttls"):
                await self._encrypt(self.tls)
        except CONNECTION_ERRORS as error:
            self.abort()
            raise HostFailed(self._broken("4.4.1", error)) from error
        except BaseException:
            self.abort()
            raise

    async def send(
        self, envelope: Envelope, content: bytes, progress: Progress, still_ours: Callable[[], bool]
    ) -> list[Outcome]:
        """One transaction; an outcome for each recipient in order. HostFailed before the data, LeaseOver."""
        refusal = self._refusal(envelope, len(content))
        if refusal is not None:
            return [refusal] * len(envelope.recipients)
        answers: list[Outcome | None] = [None] * len(envelope.recipients)
        try:
            mail = await self._mail(envelope, len(content))
            if mail.result is not Result.DELIVERED:
                return [mail] * len(answers)
            for index, recipient in enumerate(envelope.recipients):
                answers[index] = await self._recipient(recipient)
            if not any(answer and answer.result is Result.DELIVERED for answer in answers):
                return [answer for answer in answers if answer is not None]
            if not still_ours():
                raise LeaseOver
            start = await self._command(b"DATA")
        except CONNECTION_ERRORS as error:
            raise HostFailed(self._broken("4.4.2", error), answers) from error
        if start.code == 354:
            final = await self._data(content, progress)
        else:
            final = self._said(_out_of_step(start) if start.positive else start)
        return [final if a is None or a.result is Result.DELIVERED else a for a in answers]

    async def quit(self) -> None:
        """Leave politely, for a few seconds at most."""
        with contextlib.suppress(*CONNECTION_ERRORS, TimeoutError):
            await self._client.quit(timeout=_QUIT_SECONDS)
        self.abort()

    def abort(self) -> None:
        """Close the connection."""
        self._client.close()

    async def _connect(self) -> None:
        # The address that was checked is the one used; connecting and the greeting have time-outs of their own.
        connection = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        try:
            connection.setblocking(False)
            async with asyncio.timeout(self.timeouts.connect):
                await asyncio.get_running_loop().sock_connect(connection, (self.address, self.port))
        except BaseException:
            connection.close()
            raise
        await self._client.connect(sock=connection)

    async def _greet(self) -> None:
        try:
            await self._client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            # RFC 5321 §3.2: a server that does not know EHLO gets HELO.
            if error.code not in (500, 502, 504) or not self._client.is_connected:
                raise
            await self._client.helo()

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        try:
            await self._client.starttls(tls_context=context, server_hostname=self.host, timeout=self.timeouts.connect)
            await self._greet()
        except (*CONNECTION_ERRORS, ValueError) as error:
            raise TlsFailed(f"{type(error).__name__}: {safe_text(str(error))}") from error
        tls = self._client.get_transport_info("ssl_object")
        if tls is not None:
            self.cipher = f"{tls.version()} {tls.cipher()[0]}"

    def _refusal(self, envelope: Envelope, size: int) -> Outcome | None:
        """What the server's extensions rule out before anything is sent."""
        if envelope.needs_smtputf8 and not self._client.supports_extension("smtputf8"):
            # RFC 6531 §3.5, RFC 3463 with RFC 6531 §4: 5.6.7
            return self._own("5.6.7", "the server does not take internationalized mail (SMTPUTF8)")
        limit = self._client.esmtp_extensions.get("size", "").strip()
        if limit.isascii() and limit.isdigit() and 0 < int(limit[:20]) < size:
            # RFC 1870 §6.1
            return self._own("5.3.4", f"the message has {size} octets, the server takes {int(limit[:20])}")
        return None

    async def _mail(self, envelope: Envelope, size: int) -> Outcome:
        parameters = []
        if self._client.supports_extension("size"):
            parameters.append(b"SIZE=%d" % size)
        # A server without 8BITMIME gets 8-bit content as it is: converting would break signatures, and
        # servers that would harm it are gone (RFC 6152 §3 leaves conversion or return).
        if envelope.eight_bit and self._client.supports_extension("8bitmime"):
            parameters.append(b"BODY=8BITMIME")
        if envelope.needs_smtputf8:
            parameters.append(b"SMTPUTF8")
        try:
            reply = await self._command(b"MAIL", b"FROM:<%s>" % envelope.return_path.encode(), *parameters)
        except ValueError:
            return self._own("5.1.7", "the sender's address holds a character that no command can carry")
        if reply.code == _CLOSING:
            raise HostFailed(self._said(reply))
        return self._said(reply)

    async def _recipient(self, recipient: str) -> Outcome:
        try:
            reply = await self._command(b"RCPT", b"TO:<%s>" % recipient.encode())
        except ValueError:
            return self._own("5.1.3", "the address holds a character that no command can carry")
        if reply.code == 552:
            # RFC 5321 §4.5.3.1.10: from old servers it means too many recipients.
            reply = RemoteReply(reply.code, "4.5.3", reply.text)
        return self._said(reply)

    async def _command(self, *words: bytes) -> RemoteReply:
        response = await self._client.execute_command(*words)
        return parse_reply(response.code, response.message)

    async def _data(self, content: bytes, progress: Progress) -> Outcome:
        """After 354. A server may answer before it has all: then the rest is not sent and it is over."""
        protocol = self._client.protocol
        if protocol is None:
            return self._own("4.4.2", "connection lost before the data")
        answer = asyncio.create_task(protocol.read_response(timeout=None))
        finished = False
        try:
            await asyncio.sleep(0)  # the reader listens before the first octet goes
            for piece, last in wire.frames(content):
                if answer.done():
                    break
                progress.dot_sent = last
                protocol.write(piece)
                if not last:
                    async with asyncio.timeout(_BLOCK_SECONDS):
                        await protocol._drain_helper()  # flow control, as asyncio's StreamWriter.drain() does it
            finished = progress.dot_sent
            async with asyncio.timeout(self.timeouts.data):
                response = await answer
        except CONNECTION_ERRORS as error:
            finished = False
            return self._broken("4.4.2", error, unknown=progress.dot_sent)
        finally:
            if not finished or not answer.done():
                answer.cancel()
                self.abort()
        reply = parse_reply(response.code, response.message)
        if reply.positive and not finished:
            reply = _out_of_step(reply)
        return self._said(reply)

    def _said(self, reply: RemoteReply) -> Outcome:
        return said(reply, self.remote_mta, self.cipher)

    def _own(self, status: str, text: str) -> Outcome:
        return Outcome(status, text, self.remote_mta, tls=self.cipher)

    def _broken(self, status: str, error: BaseException, *, unknown: bool = False) -> Outcome:
        if isinstance(error, aiosmtplib.SMTPResponseException):
            reply = parse_reply(error.code, error.message)
            return self._said(_out_of_step(reply) if reply.positive else reply)
        words = "no answer in time" if isinstance(error, TimeoutError) else safe_text(str(error))
        if unknown:
            words = f"connection lost after the message was sent: {words}"
        return Outcome(status, words or type(error).__name__, self.remote_mta, tls=self.cipher, unknown=unknown)


def _out_of_step(reply: RemoteReply) -> RemoteReply:
    """A reply that cannot stand here: nothing is believed (RFC 5321 §4.3.2)."""
    return RemoteReply(reply.code, "4.5.0", reply.text)
