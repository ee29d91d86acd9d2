"""Who a request comes from: a bearer token, or the cookie of a browser session with its CSRF token (RFC 6750)."""

import structlog
from fastapi import Request

from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.adminapi.trail import trail_of
from mailraven.directory.tokens import find_grant
from mailraven.directory.web_sessions import WebSession, find_session
from mailraven.telemetry import metrics

COOKIE = "mailraven_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRET_CHARACTERS = 200

_log = structlog.get_logger(component="adminapi")


async def authenticate(request: Request, api: ApiServices) -> Principal:
    """Raises ApiProblem 401 or 403, DatabaseUnavailable."""
    header = request.headers.get("authorization")
    cookie = request.cookies.get(COOKIE)
    if header is not None:
        return await _by_token(request, api, header)
    if cookie:
        return await _by_session(request, api, cookie)
    raise unauthenticated(request, "no_token")


async def _by_token(request: Request, api: ApiServices, header: str) -> Principal:
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise unauthenticated(request, "no_token")
    if len(secret) > _SECRET_CHARACTERS:
        raise unauthenticated(request, "invalid_token")
    async with api.database.acquire() as connection:
        grant = await find_grant(connection, secret)
    if grant is None:
        raise unauthenticated(request, "invalid_token")
    api.token_uses.mark(grant.name)
    trail = trail_of(request)
    return Principal(
        actor=f"token {grant.name}",
        role=grant.role,
        account_id=grant.account_id,
        address=grant.address,
        domain_ids=grant.domain_ids,
        scopes=grant.scopes,
        ip=trail.client.ip,
        request_id=trail.request_id,
        token=grant.name,
        expires_at=grant.expires_at,
    )


async def _by_session(request: Request, api: ApiServices, cookie: str) -> Principal:
    if len(cookie) > _SECRET_CHARACTERS:
        raise unauthenticated(request, "invalid_session")
    async with api.database.acquire() as connection:
        session = await find_session(connection, cookie, idle_minutes=api.settings.admin.session_idle_minutes)
    if session is None:
        raise unauthenticated(request, "invalid_session")
    trail = trail_of(request)
    trail.actor = session.address
    if request.method not in _SAFE_METHODS:
        _check_csrf(request, session)
    return Principal(
        actor=session.address,
        role=session.role,
        account_id=session.account_id,
        address=session.address,
        domain_ids=session.domain_ids,
        scopes=frozenset({"*"}),
        ip=trail.client.ip,
        request_id=trail.request_id,
        session=session.sha256,
        expires_at=session.expires_at,
        must_enrol=session.must_enrol,
    )


def _check_csrf(request: Request, session: WebSession) -> None:
    """A browser sends the cookie along with what another site made it ask for; the header it does not."""
    token = request.headers.get(CSRF_HEADER)
    if token is None or not session.has_csrf_token(token[:_SECRET_CHARACTERS]):
        trail_of(request).reason = "csrf"
        raise ApiProblem(403, f"A browser session has to send its CSRF token in {CSRF_HEADER} with each change.")


def unauthenticated(request: Request, reason: str) -> ApiProblem:
    """401; the reason is for the log, not for the client."""
    trail = trail_of(request)
    trail.reason = reason
    metrics.AUTH_ATTEMPTS.labels("http", "failed").inc()
    _log.warning("authentication_failed", ip=trail.client.ip, reason=reason, endpoint=_endpoint(request))
    return ApiProblem(401, "A valid bearer token or session is needed.", headers={"WWW-Authenticate": "Bearer"})


def _endpoint(request: Request) -> str:
    """The route's pattern: a path is what a client chose."""
    return str(getattr(request.scope.get("route"), "path", "other"))
