"""One attempt: a message to its recipients at one domain, host after host until one decides."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

import structlog

from mailraven.delivery import content as wire
from mailraven.delivery.budget import OctetBudget
from mailraven.delivery.outcome import Outcome, Result, worst_of_hosts
from mailraven.delivery.route import NoRoute, Router
from mailraven.delivery.session import (
    Envelope,
    HostFailed,
    LeaseOver,
    Progress,
    RemoteSession,
    Timeouts,
    TlsFailed,
)


@dataclass(slots=True)
class Job:
    """What to send; `read` loads the content when a server is ready for it."""

    domain: str
    envelope: Envelope
    size: int
    smtputf8: bool
    read: Callable[[], Awaitable[bytes]]
    still_ours: Callable[[], bool]
    progress: Progress = field(default_factory=Progress)


_log = structlog.get_logger(component="delivery")


class Unsendable(Exception):
    """The content cannot go out, to whatever host."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def opportunistic_context() -> ssl.SSLContext:
    """Any certificate: encryption without authentication beats none (RFC 7435). TLS 1.2 at least (RFC 8996)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Sender:
    """Makes attempts for a process. A policy that demands TLS (DANE, MTA-STS) will choose the context per host."""

    def __init__(self, router: Router, port: int, timeouts: Timeouts, budget: OctetBudget) -> None:
        self._router = router
        self._port = port
        self._timeouts = timeouts
        self._budget = budget
        self._tls = opportunistic_context()
        self._quitting: set[asyncio.Task[None]] = set()

    async def attempt(self, job: Job) -> list[Outcome]:
        """An outcome for each recipient in order. LeaseOver; errors of `job.read`."""
        decided: dict[int, Outcome] = {}
        failures: list[Outcome] = []
        try:
            async with aclosing(self._router.addresses(job.domain, failures)) as addresses:
                async for host, address in addresses:
                    if await self._try(job, host, address, decided, failures):
                        break
        except (NoRoute, Unsendable) as error:
            failures.append(error.outcome)
        rest = worst_of_hosts(failures) if failures else Outcome("5.4.4", f"{job.domain} has no host for mail")
        return [decided.get(index, rest) for index in range(len(job.envelope.recipients))]

    async def close(self, seconds: float = 2.0) -> None:
        """Wait for the last QUITs."""
        if self._quitting:
            await asyncio.wait(self._quitting, timeout=seconds)
        for task in list(self._quitting):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._quitting, return_exceptions=True)

    async def _try(
        self, job: Job, host: str, address: str, decided: dict[int, Outcome], failures: list[Outcome]
    ) -> bool:
        """Whether every recipient is decided; what is decided and what failed is noted."""
        if not job.still_ours():
            raise LeaseOver
        open_ones = [index for index in range(len(job.envelope.recipients)) if index not in decided]
        envelope = replace(job.envelope, recipients=tuple(job.envelope.recipients[index] for index in open_ones))
        try:
            answers: list[Outcome | None] = list(await self._transaction(job, envelope, host, address))
            final = True
        except HostFailed as failure:
            failures.append(failure.outcome)
            answers, final = failure.answers, False
        for index, answer in zip(open_ones, answers, strict=False):
            # After a broken connection a refusal for ever stands, the rest is asked of the next host.
            if answer is not None and (final or answer.result is Result.FAILED):
                decided[index] = answer
        return len(decided) == len(job.envelope.recipients)

    async def _transaction(self, job: Job, envelope: Envelope, host: str, address: str) -> list[Outcome]:
        session = await self._open(host, address)
        try:
            async with self._budget.hold(job.size):
                content = await job.read()
                envelope = replace(envelope, needs_smtputf8=_needs_smtputf8(envelope, content, job.smtputf8))
                _check_line_ends(content)
                outcomes = await session.send(envelope, content, job.progress, job.still_ours)
        except BaseException:
            session.abort()
            raise
        task = asyncio.create_task(session.quit(), name="delivery-quit")
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)
        return outcomes

    async def _open(self, host: str, address: str) -> RemoteSession:
        def session(tls: ssl.SSLContext | None) -> RemoteSession:
            return RemoteSession(host, address, self._port, self._router.own_name, self._timeouts, tls)

        encrypted = session(self._tls)
        try:
            await encrypted.open()
        except TlsFailed as error:
            _log.info("STARTTLS failed, going on without", host=host, address=address, error=str(error))
            plain = session(None)
            await plain.open()
            return plain
        return encrypted


def _check_line_ends(content: bytes) -> None:
    if wire.has_bare_line_end(content):
        text = "the message holds a bare CR or LF and cannot be sent (RFC 5321 2.3.8)"
        raise Unsendable(Outcome("5.6.0", text))


def _needs_smtputf8(envelope: Envelope, content: bytes, declared: bool) -> bool:
    """RFC 6531 §3.4: asked for only where addresses or the header need it, so that ASCII mail goes anywhere."""
    addresses = (envelope.return_path, *envelope.recipients)
    if not all(address.isascii() for address in addresses):
        return True
    return declared and not wire.is_ascii_header(content)
