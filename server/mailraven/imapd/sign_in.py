"""Checking a user name and password, for LOGIN and AUTHENTICATE: one answer for every reason (RFC 9051 §6.2.3)."""

from __future__ import annotations

import asyncio
import secrets

import structlog

from mailraven.directory import DirectoryUnavailable, Identity, loggable_login
from mailraven.imap import response
from mailraven.imapd.capability import capabilities
from mailraven.imapd.outcome import Outcome, Then, no, ok
from mailraven.imapd.session import Session
from mailraven.imapd.state import Authenticated
from mailraven.limits import Decision
from mailraven.telemetry import metrics
from mailraven.trace import login_failed

_log = structlog.get_logger(component="imapd")
_RANDOM = secrets.SystemRandom()
NOT_IN_THE_CLEAR = no("Passwords are taken under TLS only", "PRIVACYREQUIRED")


async def sign_in(session: Session, login: str, password: str, mechanism: str) -> Outcome:
    """The outcome of the command; on success the session is authenticated."""
    gate = session.services.gate
    if gate is not None:
        decision = await gate.login_allowed(session.peer, login, request_id=session.id)
        if not decision.allowed:  # the right password would be refused too: none is looked at
            return _over_limit(decision)
    try:
        identity = await session.services.directory.authenticate(login, password, protocol="imap")
    except BaseException as error:
        if gate is not None:
            gate.login_undecided(session.peer, login)
        if isinstance(error, DirectoryUnavailable):
            metrics.AUTH_ATTEMPTS.labels("imap", "error").inc()
        raise
    if identity is None:
        if gate is not None:
            await gate.login_failed(session.peer, login, "imap")
        return await _refuse(session, login, mechanism)
    if gate is not None:
        await gate.login_succeeded(session.peer, login, "imap")
    return _accept(session, identity, mechanism)


def _over_limit(decision: Decision) -> Outcome:
    metrics.AUTH_ATTEMPTS.labels("imap", "refused").inc()
    bye = response.bye("Too many failed log-ins", "UNAVAILABLE")
    # RFC 5530 §3: UNAVAILABLE is temporary; a client that hears AUTHENTICATIONFAILED asks its user for a new password.
    return no(decision.text, "UNAVAILABLE", untagged=bye.untagged(), then=Then.CLOSE)


def _accept(session: Session, identity: Identity, mechanism: str) -> Outcome:
    metrics.AUTH_ATTEMPTS.labels("imap", "ok").inc()
    session.state = Authenticated(identity)
    _log.info(
        "logged in",
        session=session.id,
        account=identity.account_id,
        address=identity.address,
        peer=session.peer,
        tls=session.secure,
        mechanism=mechanism,
    )
    return ok("Logged in", response.capability_code(capabilities(session)))


async def _refuse(session: Session, login: str, mechanism: str) -> Outcome:
    metrics.AUTH_ATTEMPTS.labels("imap", "failed").inc()
    session.auth_failures += 1
    _log.warning(
        "authentication_failed",
        protocol="imap",
        session=session.id,
        ip=session.peer,
        login=loggable_login(login),
        mechanism=mechanism,
        failures=session.auth_failures,
    )
    if session.services.trace is not None:
        session.services.trace.record(login_failed(session.id, session.peer, loggable_login(login), "imap"))
    # Slows down guessing on this connection, and blurs what the time of the check may tell.
    await asyncio.sleep(_RANDOM.uniform(*session.services.limits.login_delay))
    if session.auth_failures >= session.services.limits.auth_failures:
        bye = response.bye("Too many failed log-ins")
        return no("Login failed", "AUTHENTICATIONFAILED", untagged=bye.untagged(), then=Then.CLOSE)
    return no("Login failed", "AUTHENTICATIONFAILED")
