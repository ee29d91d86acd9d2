"""Logging in to a browser session: throttled, with the second factor, and all of it in the audit log."""

from dataclasses import dataclass

import structlog
from fastapi import Request

from mailraven import audit
from mailraven.adminapi.access import Principal, Role, check_network, too_many
from mailraven.adminapi.authentication import COOKIE
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.adminapi.trail import Trail, trail_of
from mailraven.directory import Identity, loggable_login, web_sessions
from mailraven.directory.totp import must_enrol, needs_second_factor, second_factor
from mailraven.telemetry import metrics
from mailraven_api.session import Login, SessionInfo

_REFUSED = "The address, the password or the code is wrong."
_log = structlog.get_logger(component="adminapi")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What the browser gets."""

    cookie: str
    info: SessionInfo


async def log_in(request: Request, api: ApiServices, body: Login) -> LoggedIn:
    """Raises ApiProblem 401, 403, 429; SealingError; DirectoryUnavailable."""
    trail = trail_of(request)
    trail.recorded = True
    identity = await _identified(api, trail, body)
    trail.actor = identity.address
    try:
        check_network(api, Role(identity.role), trail)
    except ApiProblem:
        _refused(api, trail, identity.address, "network", identity.domain_id)
        raise
    opened = await _open(request, api, trail, identity)
    metrics.AUTH_ATTEMPTS.labels("http", "ok").inc()
    info = SessionInfo(
        actor=identity.address,
        address=identity.address,
        role=Role(identity.role).value,
        must_enrol=must_enrol(identity),
        csrf_token=opened.csrf_token,
        expires_at=opened.expires_at,
    )
    return LoggedIn(opened.cookie, info)


async def log_out(api: ApiServices, principal: Principal) -> None:
    """Raises ApiProblem 409 for a token."""
    if principal.session is None:
        raise ApiProblem(409, "This is no browser session.")
    async with api.database.transaction() as connection:
        await web_sessions.end_session(connection, principal.session)
        await audit.write(
            connection,
            audit.Entry(principal.actor, principal.ip, principal.request_id, "session.logout", principal.actor),
        )


async def _identified(api: ApiServices, trail: Trail, body: Login) -> Identity:
    """Every way out of here settles what login_allowed has booked."""
    ip, login = trail.client.ip, body.address
    decision = await api.gate.login_allowed(ip, login, request_id=trail.request_id)
    if not decision.allowed:
        _refused(api, trail, loggable_login(login), "limit")
        raise too_many(decision.reset_seconds, decision.text)
    try:
        identity = await api.directory.authenticate(login, body.password.get_secret_value(), protocol="http")
        reason = await _missing(api, identity, body)
    except BaseException:
        api.gate.login_undecided(ip, login)
        raise
    if identity is not None and not reason:
        await api.gate.login_succeeded(ip, login, "http")
        return identity
    if reason == "second_factor":
        api.gate.login_undecided(ip, login)
    else:
        await api.gate.login_failed(ip, login, "http")
    _refused(api, trail, loggable_login(login), reason, None if identity is None else identity.domain_id)
    if reason == "second_factor":
        raise ApiProblem(401, "A code of the second factor is needed.", headers=_CHALLENGE, second_factor=True)
    raise ApiProblem(401, _REFUSED, headers=_CHALLENGE)


_CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def _missing(api: ApiServices, identity: Identity | None, body: Login) -> str:
    """Why it is no login; empty: it is one."""
    if identity is None:
        return "invalid_credentials"
    if not needs_second_factor(identity):
        return ""
    if body.code is None:
        return "second_factor"
    right = await second_factor(api.database, api.sealer, identity.account_id, body.code.get_secret_value())
    return "" if right else "invalid_code"


async def _open(request: Request, api: ApiServices, trail: Trail, identity: Identity) -> web_sessions.Opened:
    async with api.database.transaction() as connection:
        if old := request.cookies.get(COOKIE):  # whose it was: the browser forgets it now
            await web_sessions.end_by_cookie(connection, old)
        opened = await web_sessions.open_session(
            connection,
            identity,
            hours=api.settings.admin.session_hours,
            ip=trail.client.ip,
            user_agent=request.headers.get("user-agent", ""),
        )
        entry = audit.Entry(
            identity.address,
            trail.client.ip,
            trail.request_id,
            "session.login",
            identity.address,
            domain_id=identity.domain_id,
        )
        await audit.write(connection, entry)
    return opened


def _refused(api: ApiServices, trail: Trail, login: str, reason: str, domain_id: int | None = None) -> None:
    metrics.AUTH_ATTEMPTS.labels("http", "failed").inc()
    _log.warning("authentication_failed", ip=trail.client.ip, reason=reason, login=login, endpoint="/api/v1/session")
    api.audit.record(
        audit.Entry(
            trail.actor,
            trail.client.ip,
            trail.request_id,
            "session.login",
            login,
            domain_id=domain_id,
            outcome="refused",
            after={"reason": reason},
        )
    )
