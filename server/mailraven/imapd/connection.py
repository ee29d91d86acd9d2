"""One TCP connection: bytes in, commands one at a time, responses out. Only this and channel.py write to a client.

No task and no buffer while the client is silent: a task lives as long as its command.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import structlog

from mailraven.imap import Invalid, Line, NeedLiteral, NeedMore, Received, Receiver, response
from mailraven.imap.response import Condition, Status
from mailraven.imapd import dispatch, updates
from mailraven.imapd.capability import capabilities
from mailraven.imapd.channel import Channel
from mailraven.imapd.counting import count, took
from mailraven.imapd.outcome import CommandRefused, Outcome, Then, bad, no
from mailraven.imapd.services import Services
from mailraven.imapd.session import Session
from mailraven.imapd.state import Logout, NotAuthenticated, Selected
from mailraven.net.addresses import normalized
from mailraven.net.proxied import Client
from mailraven.telemetry import metrics

if TYPE_CHECKING:
    from mailraven.imapd.server import ImapServer

_log = structlog.get_logger(component="imapd")

_CLOSING_SECONDS = 5.0  # for a last line to leave
_AHEAD_SECONDS = 5.0
_IN_A_ROW = 16  # pipelined commands before other connections have their turn
_GOING_DOWN = "The server is going down, try again in a moment"


class Connection(Channel):
    """The protocol of a client's transport; owns its Session."""

    __slots__ = (
        "_bad_commands",
        "_half_closed",
        "_heard",
        "_idle_tag",
        "_last_command",
        "_line_wanted",
        "_receiver",
        "_secure",
        "_server",
        "_services",
        "_shut_down",
        "_task",
        "session",
    )

    def __init__(self, server: ImapServer, services: Services, *, secure: bool, client: Client | None = None) -> None:
        """`client`: who it is behind a load balancer; else the peer of the transport."""
        super().__init__()
        self._server = server
        self._services = services
        self._secure = secure
        self._receiver = Receiver(services.limits.before_login)
        self._task: asyncio.Task[None] | None = None
        self._line_wanted: asyncio.Future[None] | None = None  # a handler waits for a line
        self._idle_tag: str | None = None
        self._shut_down: Status | None = None  # to say when the command is done
        self._half_closed = False
        self._bad_commands = 0
        self._heard = self._last_command = self._loop.time()
        self.session = Session(services, self._ask, client[0] if client is not None else "", secure=secure)

    # -- called by the transport -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self.session.peer:
            peer = transport.get_extra_info("peername")
            self.session.peer = normalized(str(peer[0])) if peer else ""
        metrics.IMAP_SESSIONS.inc()
        if not self._server.joined(self):
            self._say_bye(response.bye("Too many connections, try again later", "UNAVAILABLE"))
            return
        if self._server.draining:
            self._say_bye(response.bye(_GOING_DOWN, "UNAVAILABLE"))
            return
        code = response.capability_code(capabilities(self.session))
        self._write(response.ok(f"{self._services.hostname} IMAP ready", code).untagged())

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._closing_since:
            return
        self._receiver.feed(data)
        if self._line_wanted is not None:
            if not self._line_wanted.done():
                self._line_wanted.set_result(None)
        elif self._task is None:
            self._proceed()
        if self._task is not None and self._receiver.buffered > self._room():
            self._pause_reading()

    def eof_received(self) -> bool:
        # A client may send its commands and half-close: it still gets its answers (TLS cannot do that).
        self._half_closed = True
        return self._task is not None and self._line_wanted is None and not self._secure

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._transport = None
        metrics.IMAP_SESSIONS.dec()
        self._server.left(self)
        self._stop_idling()
        for waiting in (self._blocked, self._line_wanted):
            if waiting is not None and not waiting.done():
                waiting.set_exception(ConnectionResetError("the client has gone"))
        if self._task is None:
            self._end_session()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._heard = self._loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._idle_tag is not None:
            self._mailbox_changed()
        if self._task is None:
            self._proceed()

    # -- called by the server ----------------------------------------------------------------------------------

    def is_overdue(self, now: float) -> bool:
        """Whether the client has been silent too long for the state it is in."""
        limits = self._services.limits
        if self._closing_since:
            return now - self._closing_since > _CLOSING_SECONDS
        silent = now - self._heard
        if self._blocked is not None:
            return silent > limits.stalled_timeout
        if self._task is not None and self._line_wanted is None:
            return False
        if isinstance(self.session.state, NotAuthenticated):
            # From command to command, so that trickling octets does not help.
            return now - self._last_command > limits.login_timeout
        if not self._receiver.idle:
            return silent > limits.stalled_timeout
        return silent > limits.idle_timeout

    def forget_ahead(self, now: float) -> None:
        """A client that has stopped fetching one message after the other is not waited for."""
        state = self.session.state
        if self._task is None and isinstance(state, Selected) and now - self._heard > _AHEAD_SECONDS:
            state.ahead = None

    def time_out(self) -> None:
        """End it."""
        if self._closing_since or self._blocked is not None:
            self.abort()
        else:
            self._say_bye(response.bye("Autologout: nothing heard for too long"))

    def shut_down(self, bye: Status | None = None) -> None:
        """Say BYE now, or after the command in progress."""
        status = bye or response.bye(_GOING_DOWN, "UNAVAILABLE")
        if self._task is not None and self._line_wanted is None:
            self._shut_down = status
        else:
            self._say_bye(status)

    # -- input -------------------------------------------------------------------------------------------------

    def _proceed(self) -> None:
        """Take what has come; a complete command gets a task."""
        received = self._next_command()
        if received is not None:
            self._task = self._loop.create_task(self._run(received))
        elif self._blocked is not None:
            self._pause_reading()  # who does not read is not listened to, either
        elif not self._closing_since:
            self._resume_reading()
            if self._half_closed:
                self._close()

    def _next_command(self) -> Received | None:
        """The next complete command; everything before it is answered here. None: more must come."""
        while not self._closing_since and self._blocked is None:
            if self._idle_tag is not None:
                line = self._receiver.next_line()
                if isinstance(line, NeedMore):
                    return None
                self._end_idling(line)
                continue
            match self._receiver.next():
                case NeedMore():
                    return None
                case NeedLiteral() as announced:
                    self._answer_literal(announced)
                case Invalid() as invalid:
                    self._answer_invalid(invalid)
                case Received() as received:
                    return received
        return None

    def _room(self) -> int:
        """Octets that may wait for the command in progress."""
        limits = self._services.limits
        stranger = isinstance(self.session.state, NotAuthenticated)
        return limits.before_login.command if stranger else limits.pipelined

    def _answer_literal(self, announced: NeedLiteral) -> None:
        """Limits and states are checked before a literal is read (RFC 7888 §4)."""
        refused = dispatch.refusal(self.session, announced.name)
        if refused is None and announced.too_big:
            if announced.name == "APPEND":
                refused = no("The message is larger than the server takes", "TOOBIG")
            else:
                refused = bad("The literal is too large", "TOOBIG")
        if refused is None:
            self._receiver.accept()
            if announced.sync:
                self._write(response.continuation("Ready for the literal"))
            return
        self._receiver.refuse()
        self._finish(announced.tag, announced.name, refused)
        if not announced.discardable:
            self._say_bye(response.bye("The literal is far too large"))

    def _answer_invalid(self, invalid: Invalid) -> None:
        if invalid.fatal:
            self._say_bye(response.bye(_sentence(invalid.text)))
            return
        outcome = bad(_sentence(invalid.text))
        if invalid.tag is None:
            self._write(outcome.status.untagged())
            self._count("", outcome)
        else:
            self._finish(invalid.tag, "", outcome)

    async def _ask(self, prompt: bytes) -> bytes:
        self._write(response.challenge(prompt))
        while True:
            match self._receiver.next_line():
                case Line(octets):
                    return octets
                case Invalid(_, text):
                    raise CommandRefused(bad(_sentence(text)))
            if self._half_closed:
                raise ConnectionResetError("the client has gone")
            self._line_wanted = self._loop.create_future()
            try:
                await self._line_wanted
            finally:
                self._line_wanted = None

    # -- one command -------------------------------------------------------------------------------------------

    async def _run(self, received: Received) -> None:
        """The command, and those that have come already behind it."""
        try:
            await self._execute(received)
            done = 1
            while not self._lost and self._shut_down is None:
                following = self._next_command()
                if following is None:
                    break
                if done % _IN_A_ROW == 0:
                    await asyncio.sleep(0)  # others have their turn
                    if self._reading_paused and self._receiver.buffered <= self._room():
                        self._resume_reading()
                await self._execute(following)
                done += 1
        except ConnectionResetError:
            self._close()
        except Exception as error:  # noqa: BLE001 - a bug here must not leave a connection hanging
            _log.error("connection failed", session=self.session.id, exc_info=error)
            self.abort()
        self._task = None
        if self._lost:
            await self._leave()
        elif self._shut_down is not None:
            self._say_bye(self._shut_down)
        else:
            self._proceed()

    async def _execute(self, received: Received) -> None:
        started = self._loop.time()
        outcome = await dispatch.perform(self.session, received)
        self._write(outcome.untagged)
        if outcome.stream is not None:
            outcome = await self._send_stream(received, outcome, outcome.stream)
        if outcome.then is Then.IDLE:
            await self._start_idling(received.tag)
            return
        self._write(await dispatch.news(self.session, received.name))
        self._finish(received.tag, received.name, dispatch.concluded(self.session, outcome))
        self._last_command = self._heard = self._loop.time()
        took(received.name, self._last_command - started)
        await self._drain()
        if outcome.then is Then.START_TLS:
            await self._start_tls()
        elif outcome.then is Then.CLOSE:
            self._close()

    async def _send_stream(self, received: Received, outcome: Outcome, stream: AsyncGenerator[bytes, None]) -> Outcome:
        """Send as fast as the client takes it, and no faster."""
        try:
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    self._write(chunk)
                    await self._drain()
                    if self._lost:
                        break
        except ConnectionResetError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of a command
            return dispatch.failure(self.session, received.name, error)
        return outcome

    def _finish(self, tag: str, name: str, outcome: Outcome) -> None:
        """The tagged response, and what it means for the connection."""
        self._write(outcome.status.tagged(tag))
        self._count(name, outcome)
        stranger = isinstance(self.session.state, NotAuthenticated)
        self._receiver.limits = self._services.limits.before_login if stranger else self._services.limits.signed_in
        state = self.session.state
        if isinstance(state, Selected) and state.view.gone:
            self._say_bye(response.bye("The selected mailbox was deleted"))

    def _count(self, name: str, outcome: Outcome) -> None:
        condition = outcome.status.condition
        count(name, condition)
        if condition is not Condition.BAD:
            self._bad_commands = 0
            return
        self._bad_commands += 1
        if self._bad_commands >= self._services.limits.bad_commands:
            self._say_bye(response.bye("Too many commands that are none"))

    async def _start_tls(self) -> None:
        """RFC 9051 §6.2.1: nothing that came in the clear counts inside."""
        tls, transport = self._services.tls, self._transport
        if transport is None or tls is None or self._closing_since:
            return
        if self._receiver.buffered or not self._receiver.idle:
            _log.warning("plain text after STARTTLS", session=self.session.id, peer=self.session.peer)
            self.abort()
            return
        try:
            self._transport = await self._loop.start_tls(
                transport, self, tls, server_side=True, ssl_handshake_timeout=self._services.limits.tls_timeout
            )
        except OSError as error:  # ssl.SSLError is one
            _log.info("TLS handshake failed", session=self.session.id, error=type(error).__name__)
            transport.abort()
            self.connection_lost(error)  # the transport was the handshake's: it tells nobody else
            return
        self._secure = True
        before = self.session
        self.session = Session(self._services, self._ask, before.peer, secure=True)
        # Not the client's to reset: the name in our logs, and how often it has guessed.
        self.session.id, self.session.auth_failures = before.id, before.auth_failures

    # -- IDLE: no task while it lasts ----------------------------------------------------------------------------

    async def _start_idling(self, tag: str) -> None:
        self._write(response.continuation("idling"))
        self._write(await dispatch.news(self.session, "IDLE"))
        if self._lost:
            return
        self._idle_tag = tag
        metrics.IMAP_IDLE.inc()
        if isinstance(self.session.state, Selected):
            self.session.state.view.add_waiter(self._mailbox_changed)
        self._mailbox_changed()

    def _stop_idling(self) -> str:
        tag, self._idle_tag = self._idle_tag, None
        if tag is not None:
            metrics.IMAP_IDLE.dec()
            if isinstance(self.session.state, Selected):
                self.session.state.view.remove_waiter(self._mailbox_changed)
        return tag or ""

    def _mailbox_changed(self) -> None:
        """Tell the idling client at once; if it does not read, when it does."""
        state = self.session.state
        if not isinstance(state, Selected) or self._closing_since or self._blocked is not None:
            return
        try:
            self._write(updates.collect(state, expunge=True))
        except Exception as error:  # noqa: BLE001 - other sessions wait for the same change
            _log.error("change not told", session=self.session.id, exc_info=error)
            self.abort()
        if state.view.gone:
            self._say_bye(response.bye("The selected mailbox was deleted"))

    def _end_idling(self, line: Line | Invalid) -> None:
        tag = self._stop_idling()
        self._last_command = self._loop.time()
        if isinstance(line, Line) and line.octets.upper() == b"DONE":
            if isinstance(self.session.state, Selected):
                self._write(updates.collect(self.session.state, expunge=True))
            self._finish(tag, "IDLE", Outcome(response.ok("IDLE completed")))
        else:
            self._finish(tag, "IDLE", bad("Expected DONE"))

    # -- the end -----------------------------------------------------------------------------------------------

    def _end_session(self) -> None:
        if isinstance(self.session.state, Selected):
            self._server.spawn(self._leave())
        else:
            self._forget()

    async def _leave(self) -> None:
        await self.session.leave_mailbox()
        self._forget()

    def _forget(self) -> None:
        if not isinstance(self.session.state, NotAuthenticated):
            _log.info("session closed", session=self.session.id)
        self.session.state = Logout()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
