"""Making, rotating and deleting tokens: no token gets rights or a life that its maker does not have."""

from datetime import UTC, datetime, timedelta

from mailraven.adminapi.access import Principal, Role, change
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.db import Connection
from mailraven.directory import InvalidValue, NoSuchToken, normalize_domain, parse_address, tokens
from mailraven.directory.tokens import NewToken, Token
from mailraven_api.token import TokenCreate

_ACCOUNT = """
SELECT c.id, c.domain_id, c.role FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE d.name = $1 AND c.localpart = $2
"""


async def create_token(api: ApiServices, principal: Principal, body: TokenCreate) -> tuple[Token, str]:
    """The token and its secret. Raises ApiProblem, DirectoryError, DatabaseUnavailable."""
    async with change(api, principal) as tx:
        new = await _wanted(tx.connection, api, principal, body)
        secret = await tokens.add_token(tx.connection, new)
        made = await tokens.get_token(tx.connection, new.name)
        await tx.audit("token.create", new.name, after=_described(made))
    return made, secret


async def rotate_token(api: ApiServices, principal: Principal, name: str) -> tuple[Token, str]:
    """The same token with a new secret."""
    async with change(api, principal) as tx:
        before = await own_token(tx.connection, principal, name)
        _check_reach(principal, before)
        now = datetime.now(UTC)
        expires_at = (
            None
            if before.expires_at is None
            else now + max(before.expires_at - before.created_at, timedelta(minutes=1))
        )
        latest = _latest(api, principal)
        if latest is not None and (expires_at is None or expires_at > latest):
            expires_at = latest
        secret = await tokens.rotate_token(tx.connection, name, expires_at=expires_at)
        made = await tokens.get_token(tx.connection, name)
        await tx.audit("token.rotate", name, before=_described(before), after=_described(made))
    return made, secret


async def delete_token(api: ApiServices, principal: Principal, name: str) -> None:
    """Also the one that asks."""
    async with change(api, principal) as tx:
        before = await own_token(tx.connection, principal, name)
        await tokens.delete_token(tx.connection, name)
        await tx.audit("token.delete", name, before=_described(before))


async def own_token(connection: Connection, principal: Principal, name: str) -> Token:
    """Raises NoSuchToken, also for what is not his."""
    found = await tokens.get_token(connection, name)
    if principal.role is not Role.SUPER_ADMIN and (found.account is None or found.account != principal.address):
        raise NoSuchToken(f"no token {name}")
    return found


def limited_to(principal: Principal) -> int | None:
    """Whose tokens he may see; None: all."""
    if principal.role is Role.SUPER_ADMIN:
        return None
    return principal.account_id or 0  # a service of a domain: none


async def _wanted(connection: Connection, api: ApiServices, principal: Principal, body: TokenCreate) -> NewToken:
    role = principal.role if body.role is None else Role(body.role)
    if role.rank > principal.role.rank:
        raise ApiProblem(403, f"You cannot make a token of the role {role}.")
    scopes = tokens.check_scopes(sorted(principal.scopes) if body.scopes is None else body.scopes)
    for scope in scopes:
        if not _within(scope, principal.scopes):
            raise ApiProblem(403, f"You cannot make a token with the scope {scope}: you do not have it.")
    account_id = principal.account_id if principal.role is not Role.SUPER_ADMIN else None
    if body.account is not None:
        account_id = await _account(connection, principal, body.account)
    domains = body.domains
    if principal.role is Role.DOMAIN_ADMIN:
        domains = await _domains(connection, principal, domains)
    expires_at = _expiry(api, principal, body.expires_at)
    return NewToken(body.name, role, scopes, account_id, domains, expires_at, principal.actor)


async def _account(connection: Connection, principal: Principal, text: str) -> int:
    address = parse_address(text).canonical
    row = await connection.fetchrow(_ACCOUNT, address.domain, address.localpart)
    mine = row is not None and row["id"] == principal.account_id
    if row is None or not (mine or principal.role is Role.SUPER_ADMIN):
        raise ApiProblem(404, "There is no such account, or a token for it is not yours to make.")
    account_id: int = row["id"]
    return account_id


async def _domains(connection: Connection, principal: Principal, names: tuple[str, ...]) -> tuple[str, ...]:
    """Of a domain-admin: those that he names, else, if he comes with a restricted token, those of the token."""
    rows = await connection.fetch("SELECT name FROM domain WHERE id = ANY ($1)", list(principal.domain_ids))
    known = {row["name"] for row in rows}
    if not names:
        return tuple(sorted(known)) if principal.token is not None else ()
    if any(normalize_domain(name) not in known for name in names):
        raise ApiProblem(404, "There is no such domain, or it is not yours.")
    return names


def _within(scope: str, held: frozenset[str]) -> bool:
    if "*" in held or scope in held:
        return True
    resource, _, action = scope.partition(":")
    return action == "read" and bool(held & {"read", f"{resource}:write"})


def _expiry(api: ApiServices, principal: Principal, wanted: datetime | None) -> datetime | None:
    now = datetime.now(UTC)
    if wanted is not None and not 1970 < wanted.year < 9999:
        raise InvalidValue("the token would expire in a year that nobody can count")
    if wanted is not None and wanted <= now:
        raise InvalidValue("the token would have expired already")
    latest = _latest(api, principal)
    if latest is None or wanted is None:
        return wanted or latest
    if wanted > latest + timedelta(minutes=1):
        raise InvalidValue(f"a token that you make expires on {latest:%Y-%m-%d %H:%M} UTC at the latest")
    return min(wanted, latest)


def _latest(api: ApiServices, principal: Principal) -> datetime | None:
    """The end of every new token: by the setting admin.token_days, and by the token that makes it."""
    days = api.settings.admin.token_days
    ends = [] if days is None else [datetime.now(UTC) + timedelta(days=days)]
    if principal.token is not None and principal.expires_at is not None:
        ends.append(principal.expires_at)
    return min(ends, default=None)


def _check_reach(principal: Principal, token: Token) -> None:
    """A new secret is as good as a new token."""
    if token.name == principal.token:
        return
    # In a browser session the account's role bounds all tokens that act as it; a token may be less than its account.
    if token.role.rank > principal.role.rank and (token.account is None or principal.token is not None):
        raise ApiProblem(403, "The token has a higher role than you.")
    if not all(_within(scope, principal.scopes) for scope in token.scopes):
        raise ApiProblem(403, "The token has scopes that you do not have.")
    restricted = principal.role is Role.DOMAIN_ADMIN and principal.token is not None
    if restricted and not (token.domain_ids and token.domain_ids <= principal.domain_ids):
        raise ApiProblem(403, "The token has domains that you do not have.")


def _described(token: Token) -> dict[str, object]:
    return {
        "role": token.role.value,
        "scopes": list(token.scopes),
        "account": token.account,
        "domains": list(token.domains),
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
    }
