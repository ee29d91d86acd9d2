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
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="imapd")
_RANDOM = secrets.SystemRandom()
NOT_IN_THE_CLEAR = no("Passwords are taken under TLS only", "PRIVACYREQUIRED")


async def sign_in(session: Session, login: str, password: str, mechanism: str) -> Outcome:
    """The outcome of the command; on success the session is authenticated."""
    try:
        identity = await session.services.directory.authenticate(login, password)
    except DirectoryUnavailable:
        metrics.AUTH_ATTEMPTS.labels("imap", "error").inc()
        raise
    if identity is None:
        return await _refuse(session, login, mechanism)
    return _accept(session, identity, mechanism)


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
        "login failed",
        session=session.id,
        peer=session.peer,
        login=loggable_login(login),
        mechanism=mechanism,
        failures=session.auth_failures,
    )
    # Slows down guessing on this connection, and blurs what the time of the check may tell.
    await asyncio.sleep(_RANDOM.uniform(*session.services.limits.login_delay))
    if session.auth_failures >= session.services.limits.auth_failures:
        bye = response.bye("Too many failed log-ins")
        return no("Login failed", "AUTHENTICATIONFAILED", untagged=bye.untagged(), then=Then.CLOSE)
    return no("Login failed", "AUTHENTICATIONFAILED")
