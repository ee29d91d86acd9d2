"""The SMTP connection: reads commands and data, writes replies, keeps the clock (RFC 5321 §4.5.3.2, RFC 2920).

The one module that touches aiosmtpd: its protocol class owns the transport and starts the handler task.
"""

# What of aiosmtpd is replaced, and why (figures: CPU of one 4 KiB message under uvloop, nothing stored).
# - Its command loop: it ends commands at a bare LF, writes and drains each reply alone, answers a crash with
#   500 and a class name, and cancels a message that is being stored when the peer half-closes. 180 us with
#   its loop and our handlers, 150 us with ours; 270 us for aiosmtpd as it is.
# - Its constructor: 110 us for each connection, spent on looking for methods by name; ours takes 6 us.
# - Its STARTTLS: asyncio's SSLProtocol takes some 280 KiB a connection, the loop's start_tls a sixth of that.

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, cast

import structlog
from aiosmtpd.smtp import SMTP

from mailraven.net.addresses import normalized
from mailraven.net.proxied import Client
from mailraven.sasl import CANCEL, Challenge, Malformed, decode_response, encode_challenge
from mailraven.smtp import replies
from mailraven.smtp.command import MAX_LIMIT, NOT_SMTP_VERBS, parse_command
from mailraven.smtp.data import DataReader, Fault
from mailraven.smtp.reply import Reply
from mailraven.smtp.transaction import Data
from mailraven.smtpd.acceptance import accept
from mailraven.smtpd.commands import COMMANDS, Close, Converse, Outcome, ReceiveData, Row, StartTls
from mailraven.smtpd.errors import answer_to
from mailraven.smtpd.inbox import Inbox
from mailraven.smtpd.login import log_in
from mailraven.smtpd.services import Services
from mailraven.smtpd.session import Session
from mailraven.smtpd.tracing import TRACED_VERBS, refused

if TYPE_CHECKING:
    from mailraven.smtpd.server import SmtpServer

_log = structlog.get_logger(component="smtpd")
_DRAIN_AT = 64 * 1024  # octets of replies the peer hasn't read at which we stop to wait for it
_RUNAWAY = 4  # times the size limit: who sends on beyond that isn't read to the end
_LAST_WORDS = 10.0  # seconds a peer may take to read them
_NEVER = float("inf")

# aiosmtpd tells of every connection at level info, in a form of its own; our lines say the same with an id.
logging.getLogger("mail.log").setLevel(logging.WARNING)


class _Gone(Exception):
    """The connection is closed or must be; nobody is there to answer."""


class Connection(SMTP):
    """One client. The inherited class gives the life cycle of the transport and of the handler task."""

    def __init__(self, server: "SmtpServer", services: Services, *, secure: bool, client: Client | None = None) -> None:
        """`client`: who it is behind a load balancer; else the peer of the transport."""
        # SMTP.__init__ looks through all members of itself and of a handler, for each connection, to find
        # commands and mechanisms; ours are a table. What the inherited life cycle reads is set here.
        self.loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(
            self,
            asyncio.StreamReader(loop=self.loop),
            client_connected_cb=self._cb_client_connected,
            loop=self.loop,
        )
        self.transport: asyncio.Transport | None = None
        self.session = None
        self.envelope = None
        self._timeout_handle = None
        self._original_transport = None
        self._handler_coroutine: asyncio.Task[None] | None = None
        self._server = server
        self._services = services
        self._mail = Session(peer_ip=client[0] if client is not None else "", secure=secure)
        self._inbox = Inbox(self.loop)
        self._out: list[bytes] = []
        self._ending: Reply | None = None  # to be said at the next pause between transactions
        self._over = False  # the last reply is said
        self._cut = False  # aborted once: the next time without manners
        self._finished = False  # the handler task is done
        self._why = "closed by the client"
        self._opened = self.loop.time()
        self._began = _NEVER  # of the transaction that is open
        self.deadline = _NEVER
        """Loop time at which the server's sweep ends this connection."""

    # -- called by the event loop ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._mail.peer_ip:
            peer = transport.get_extra_info("peername")
            self._mail.peer_ip = normalized(str(peer[0])) if isinstance(peer, tuple) else ""
        self._inbox.attach(cast(asyncio.ReadTransport, transport))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inbox.put(data)

    def eof_received(self) -> bool:
        # What came before the end is still answered: a client may send everything up to QUIT and half-close.
        self._inbox.end()
        return not self._mail.secure

    def connection_lost(self, error: Exception | None) -> None:
        # The inherited one cancels the handler; a message that is being committed is finished and logged.
        self.transport = None
        self._inbox.end()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._leave()

    @property
    def mail(self) -> Session:
        """Its session, for the server: who it is, what it is called in logs."""
        return self._mail

    # -- called by the server ----------------------------------------------------------------------------------

    def shut_down(self, reply: Reply = replies.SHUTTING_DOWN) -> None:
        """Ends at once between transactions, else after the one that is open."""
        self._ending = self._ending or reply
        self._inbox.wake()

    def time_out(self) -> None:
        self.abort(replies.TIMED_OUT)

    def abort(self, reply: Reply = replies.SHUTTING_DOWN) -> None:
        """Says `reply` and closes, whatever is going on; a second time without waiting for the peer to read."""
        if self.transport is None:
            return
        if self._cut or self._finished:
            self.transport.abort()
            return
        self._cut = True
        self._why = f"ended by us: {reply.code} {reply.enhanced}"
        self.deadline = self.loop.time() + _LAST_WORDS
        self._out.append(reply.render())
        self._write_out()
        self.transport.close()
        self._inbox.end()

    # -- the session -------------------------------------------------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The inherited timer for each command is a deadline that one sweep of the server looks at."""
        self.deadline = self.loop.time() + (duration or self._services.limits.command_timeout)

    async def _handle_client(self) -> None:
        try:
            refusal = await self._server.joined(self)
            if refusal is None:
                self._say(Reply(220, "", f"{self._services.hostname} ESMTP MailRaven"))
                await self._converse()
            else:
                self._end(refusal)
        except (_Gone, ConnectionError):
            pass
        except Exception as error:  # noqa: BLE001 - answered with 451 and logged
            self._end(answer_to(error, request_id=self._mail.id))
        finally:
            self._write_out()
            if self.transport is not None:
                self.transport.close()
            self._log_end()
            self._finished = True
            self.deadline = self.loop.time() + _LAST_WORDS
            self._leave()

    def _leave(self) -> None:
        if self._finished and self.transport is None:
            self._server.left(self)

    async def _converse(self) -> None:
        while not self._over:
            line = await self._line()
            if line is None:
                self._say(replies.LINE_TOO_LONG)
                self._count(replies.LINE_TOO_LONG)
            elif self._ending is not None and self._mail.between_transactions and line[:4].upper() != b"QUIT":
                self._end(self._ending)
            else:
                await self._command(line)

    async def _command(self, line: bytes) -> None:
        command, groups, before = parse_command(line), False, self._mail.state
        if isinstance(command, Reply):
            reply: Reply | None = command
        elif row := COMMANDS.get(command.verb):
            groups = row.groups
            if command.argument and not row.takes_argument:
                reply = replies.SYNTAX
            else:
                reply = await self._run(row, command.argument)
            if reply is not None and reply.code >= 400 and command.verb in TRACED_VERBS:
                refused(self._services, self._mail, before, command.verb, command.argument, reply)
        elif command.verb in NOT_SMTP_VERBS:  # a browser, perhaps made to speak to us
            self._end(replies.NOT_SMTP)
            return
        else:
            reply = replies.UNKNOWN_COMMAND
        if reply is not None:
            self._say(reply)
            self._count(reply)
        if not groups:
            await self._flush()

    async def _run(self, row: Row, argument: str) -> Reply | None:
        try:
            return await self._perform(await row.run(self._services, self._mail, argument))
        except (_Gone, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - answered with 451 and logged
            return answer_to(error, request_id=self._mail.id)

    async def _perform(self, outcome: Outcome) -> Reply | None:
        """The reply to give; None where it is given already."""
        match outcome:
            case Reply():
                return outcome
            case ReceiveData():
                return await self._receive()
            case Converse():
                return await self._lead(outcome)
            case StartTls():
                return await self._start_tls()
            case Close(reply, why):
                self._end(reply, why=why)
                return None

    async def _receive(self) -> Reply:
        """DATA: everything to CRLF.CRLF, then the verdict on it."""
        limits, state = self._services.limits, self._mail.state
        if not isinstance(state, Data):
            return replies.BAD_SEQUENCE
        self._say(replies.START_MAIL_INPUT)
        await self._flush()
        most = self._services.max_message_size
        reader, held = DataReader(most), 0
        try:
            while True:
                done = reader.feed(self._inbox.buffer)
                held = self._hold(reader, held)
                if done:
                    break
                if reader.received > _RUNAWAY * most:
                    self.abort(replies.SENDS_ON_AND_ON)
                    raise _Gone
                await self._more(min(limits.data_timeout, self._left_of_transaction()))
            if self.transport is None:  # nobody hears our reply: the client must send it again anyway
                raise _Gone
            return await accept(self._services, self._mail, state, reader)
        finally:
            self._services.budget.give_back(held)
            self._mail.reset()
            self._began = _NEVER

    def _hold(self, reader: DataReader, held: int) -> int:
        """Books what the reader holds beyond `held`; drops it all where the process has no room."""
        budget = self._services.budget
        if reader.held > held and not budget.take(reader.held - held):
            reader.discard(Fault.NO_MEMORY)
        if reader.held < held:
            budget.give_back(held - reader.held)
        return reader.held

    async def _lead(self, converse: Converse) -> Reply | None:
        """AUTH: challenges and responses to their end (RFC 4954 §4)."""
        exchange, response = converse.exchange, converse.initial
        while isinstance(outcome := exchange.step(response), Challenge):
            self._say(Reply(334, "", encode_challenge(outcome.data).decode("ascii")))
            line = await self._line()
            if line is None:
                return replies.AUTH_LINE_TOO_LONG
            if line == CANCEL:
                return replies.CANCELLED
            response = decode_response(line)
            if response is None:
                return replies.NOT_BASE64
        if isinstance(outcome, Malformed):
            return replies.AUTH_MALFORMED
        reply = await log_in(self._services, self._mail, outcome)
        if reply.code == 421:
            self._end(reply, why="over the limit of failed logins")
            return None
        if self._mail.auth_failures >= self._services.limits.max_auth_failures:
            self._say(reply)
            self._end(replies.TOO_MANY_ERRORS, why="too many failed logins")
            return None
        return reply

    async def _start_tls(self) -> Reply | None:
        """RFC 3207 §6: octets that came before the handshake are an attack or a mistake, never commands."""
        context, transport = self._services.tls, self.transport
        if context is None or transport is None:
            return replies.TLS_UNAVAILABLE
        if self._inbox.buffer:
            self._end(replies.PIPELINED_AFTER_STARTTLS, why="data after STARTTLS")
            return None
        self._say(replies.READY_FOR_TLS)
        self._write_out()
        # No await from the look at the buffer to here; start_tls takes the reading side away from us at once.
        timeout = self._services.limits.tls_timeout
        try:
            secured = await self.loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=timeout
            )
        except (OSError, ssl.SSLError) as error:
            self._why = f"TLS handshake failed: {getattr(error, 'reason', None) or type(error).__name__}"
            raise _Gone from error
        if secured is None or self._inbox.ended:
            raise _Gone
        self.transport = secured
        self._writer._transport = secured  # type: ignore[attr-defined]
        self._inbox.attach(secured)
        self._mail.start_over_with_tls()
        return None

    # -- lines in, replies out ---------------------------------------------------------------------------------

    async def _line(self) -> bytes | None:
        """The next line without its CRLF; None for one that is too long, read to its end."""
        buffer, too_long = self._inbox.buffer, False
        while True:
            if self.transport is None or self.transport.is_closing():
                raise _Gone
            end = buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(buffer[:end]) if end < MAX_LIMIT else None
                del buffer[: end + 2]
                return None if too_long else line
            if len(buffer) > MAX_LIMIT:
                too_long = True
                del buffer[:-1]  # the last octet may be the CR
            await self._flush()
            await self._pause()

    async def _pause(self) -> None:
        """Waits for the client's next words; between transactions the session may end here."""
        limits = self._services.limits
        seconds = limits.command_timeout
        if self._mail.between_transactions:
            if self._ending is not None:
                self._end(self._ending)
                raise _Gone
            seconds = min(seconds, self._opened + limits.session_timeout - self.loop.time())
            self._began = _NEVER
        else:
            seconds = min(seconds, self._left_of_transaction())
        await self._more(seconds)

    def _left_of_transaction(self) -> float:
        """Seconds; the first question begins it."""
        now = self.loop.time()
        self._began = min(self._began, now)
        return self._began + self._services.limits.transaction_timeout - now

    async def _more(self, seconds: float) -> None:
        """Waits for octets for about so long at most; the server's sweep ends who is late."""
        if self._inbox.ended:
            raise _Gone
        self.deadline = self.loop.time() + seconds
        await self._inbox.more()
        self.deadline = _NEVER

    def _say(self, reply: Reply) -> None:
        self._out.append(reply.render())

    def _end(self, reply: Reply, *, why: str = "") -> None:
        """Says the last reply of the session."""
        self._why = why or f"ended by us: {reply.code} {reply.enhanced}"
        self._over = True
        self._say(reply)

    def _write_out(self) -> None:
        if self._out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()

    async def _flush(self) -> None:
        self._write_out()
        if self.transport is not None and self.transport.get_write_buffer_size() > _DRAIN_AT:
            self.deadline = self.loop.time() + self._services.limits.command_timeout
            await self._writer.drain()
            self.deadline = _NEVER

    def _count(self, reply: Reply) -> None:
        surplus = reply is replies.TOO_MANY_RECIPIENTS and self._mail.surplus > self._services.limits.surplus_recipients
        if reply.code >= 500 or surplus:
            self._mail.errors += 1
            if self._mail.errors >= self._services.limits.max_errors and not self._over:
                self._end(replies.TOO_MANY_ERRORS, why="too many errors")

    def _log_end(self) -> None:
        seconds = round(self.loop.time() - self._opened, 3)
        role = self._services.role.value
        _log.info("connection closed", role=role, reason=self._why, seconds=seconds, **self._mail.summary())
