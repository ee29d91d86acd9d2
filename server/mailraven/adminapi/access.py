"""Who may call a route: every route has `principal: Annotated[Principal, Depends(allow(SCOPE, WHO))]`.

What a client may not know of answers 404, in the same words whether it exists or not.
"""

from enum import Enum

from fastapi import Request

from mailraven.adminapi.authentication import authenticate
from mailraven.adminapi.change import Change, change
from mailraven.adminapi.principal import AccountRef, DomainRef, Principal
from mailraven.adminapi.problems import MEDIA_TYPE, ApiProblem
from mailraven.adminapi.services import ApiServices, services
from mailraven.adminapi.trail import ANONYMOUS, Trail, trail_of
from mailraven.db import Connection
from mailraven.directory import AddressError, normalize_domain, parse_address
from mailraven.directory.roles import Role
from mailraven.directory.tokens import BOOTSTRAP, RESOURCES
from mailraven.net.addresses import Networks
from mailraven.telemetry import metrics

__all__ = ["AccountRef", "Allow", "Change", "DomainRef", "Principal", "Role", "Who", "allow", "change"]

# All that a session may do whose account has to set up its second factor first.
_ENROLMENT = ("/api/v1/session", "/api/v1/me", "/api/v1/me/totp", "/api/v1/me/totp/confirm")
HIGHER_ROLE = "The account has a higher role than you, or administers domains that you do not."
_NOT_FOUND = "There is no such resource, or it is not yours."

_ACCOUNT = """
SELECT c.id, c.domain_id, c.role, ARRAY(SELECT a.domain_id FROM domain_admin a WHERE a.account_id = c.id) AS managed
  FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE d.name = $1 AND c.localpart = $2
"""


class Who(Enum):
    """Whom a route is for."""

    PUBLIC = "public"  # no credential
    ANYONE = "anyone"  # who has a credential
    ADMINS = "admins"  # domain-admins and super-admins; lists show what they administer
    SUPER = "super"  # super-admins
    DOMAIN = "domain"  # the admins of {domain}
    ACCOUNT = "account"  # {address} himself, and the admins of his domain


def allow(scope: str, who: Who) -> "Allow":
    """A dependency. `scope` is RESOURCE:read or RESOURCE:write; empty: a token needs none."""
    resource, _, action = scope.partition(":")
    if scope and (resource not in RESOURCES or action not in ("read", "write")):
        raise ValueError(f"no scope {scope}")
    return Allow(scope, who)


class Allow:
    """Authenticates, counts and authorizes one request."""

    def __init__(self, scope: str, who: Who) -> None:
        self.scope = scope
        self.who = who

    async def __call__(self, request: Request) -> Principal:
        """Raises ApiProblem: 401, 403, 404, 415, 429."""
        api, trail = services(request), trail_of(request)
        if self.who is Who.PUBLIC:
            await _count(api, trail, None)
            principal = Principal(ANONYMOUS, Role.USER, ip=trail.client.ip, request_id=trail.request_id)
        else:
            principal = await self._authenticated(request, api, trail)
        _check_content_type(request)
        return principal

    async def _authenticated(self, request: Request, api: ApiServices, trail: Trail) -> Principal:
        try:
            principal = await authenticate(request, api)
        except ApiProblem:
            await _count(api, trail, None)
            raise
        trail.actor = principal.actor
        metrics.AUTH_ATTEMPTS.labels("http", "ok").inc()
        await _count(api, trail, principal.token or f"session {principal.address}")
        check_network(api, principal.role, trail)
        self._check_rights(request, principal, trail)
        return await self._resolve(request, api, principal, trail)

    def _check_rights(self, request: Request, principal: Principal, trail: Trail) -> None:
        if principal.must_enrol and request.scope["route"].path not in _ENROLMENT:
            raise _forbidden(trail, "enrolment", "Your domain demands a second factor: set it up first.")
        if not principal.has_scope(self.scope):
            raise _forbidden(trail, "scope", f"The token's scopes do not include {self.scope}.")
        if self.who is Who.SUPER and principal.role is not Role.SUPER_ADMIN:
            raise _forbidden(trail, "role", "Only super-admins may do this.")
        if self.who in (Who.ADMINS, Who.DOMAIN) and not principal.role.is_admin:
            raise _forbidden(trail, "role", "Only admins may do this.")

    async def _resolve(self, request: Request, api: ApiServices, principal: Principal, trail: Trail) -> Principal:
        if self.who is Who.DOMAIN:
            async with api.database.acquire() as connection:
                domain = await find_domain(connection, principal, request.path_params["domain"])
            return principal.at(domain=domain)
        if self.who is Who.ACCOUNT:
            async with api.database.acquire() as connection:
                account = await find_account(connection, principal, request.path_params["address"])
            if self.scope.endswith(":write") and principal.outranked_by(account):
                raise _forbidden(trail, "role", HIGHER_ROLE)
            return principal.at(account=account)
        return principal


async def find_domain(connection: Connection, principal: Principal, text: str) -> DomainRef:
    """The domain, if it is his to administer. Raises ApiProblem 404."""
    try:
        name = normalize_domain(text)
    except AddressError:
        raise ApiProblem(404, _NOT_FOUND) from None
    domain_id = await connection.fetchval("SELECT id FROM domain WHERE name = $1", name)
    if domain_id is None or not principal.may_admin(domain_id):
        raise ApiProblem(404, _NOT_FOUND)
    return DomainRef(domain_id, name)


async def find_account(connection: Connection, principal: Principal, text: str) -> AccountRef:
    """The account, if it is he or one of his domains'. Raises ApiProblem 404."""
    try:
        address = parse_address(text).canonical
    except AddressError:
        raise ApiProblem(404, _NOT_FOUND) from None
    row = await connection.fetchrow(_ACCOUNT, address.domain, address.localpart)
    if row is None or not (row["id"] == principal.account_id or principal.may_admin(row["domain_id"])):
        raise ApiProblem(404, _NOT_FOUND)
    managed = frozenset({row["domain_id"], *row["managed"]})
    return AccountRef(row["id"], str(address), row["domain_id"], Role(row["role"]), managed)


def check_network(api: ApiServices, role: Role, trail: Trail) -> None:
    """Admins may come from the networks of settings.admin.allowed_networks only. Raises ApiProblem 403."""
    allowed = api.settings.admin.allowed_networks
    if role.is_admin and allowed and trail.client.ip not in Networks(allowed):
        raise _forbidden(trail, "network", "Admins may not come from your address.")


async def _count(api: ApiServices, trail: Trail, token: str | None) -> None:
    """One request more of this client. Raises ApiProblem 429."""
    if token == BOOTSTRAP and api.config.http.admin_token_file is not None:
        return  # the operator: whoever reads that file could also lift its limits
    decision = await api.gate.api_request(trail.client.ip, token, request_id=trail.request_id)
    trail.decision = decision
    if not decision.allowed:
        raise too_many(decision.reset_seconds, decision.text)


def too_many(seconds: float, text: str) -> ApiProblem:
    """429 (RFC 6585 §4), and when to come again."""
    return ApiProblem(429, f"{text}.", headers={"Retry-After": str(max(1, -int(-seconds // 1)))})


def _forbidden(trail: Trail, reason: str, detail: str) -> ApiProblem:
    trail.reason = reason
    return ApiProblem(403, detail)


def _check_content_type(request: Request) -> None:
    """A JSON body has to say that it is one; so no form of another site is ever taken for it. Raises ApiProblem 415."""
    field = getattr(request.scope["route"], "body_field", None)
    wanted = getattr(getattr(field, "field_info", None), "media_type", "application/json")
    if field is None or wanted != "application/json":
        return
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    json = given == "application/json" or (given.startswith("application/") and given.endswith("+json"))
    if not json and not (empty and not given):
        raise ApiProblem(415, f"The body has to be application/json (or {MEDIA_TYPE.partition('/')[0]}/…+json).")
