"""Bearer tokens of the admin API: 32 random bytes, shown once, stored as SHA-256; scoped, bound, expiring."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from mailraven.db import Connection
from mailraven.directory.address import Address, normalize_domain
from mailraven.directory.errors import InvalidValue, NoSuchDomain, NoSuchToken, TokenExists
from mailraven.directory.roles import Role, least

BOOTSTRAP = "bootstrap"
"""The first token of an installation: that of `mailraven up`, or of the file http.admin_token_file."""
PREFIX = "mr_"  # lets secret scanners find one in the wrong place
RESOURCES = (
    "domains",
    "accounts",
    "mail",
    "queue",
    "limits",
    "certificates",
    "settings",
    "tokens",
    "audit",
    "stats",
    "trace",
)
SCOPES = frozenset({"*", "read"} | {f"{name}:{action}" for name in RESOURCES for action in ("read", "write")})
MAX_DOMAINS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,99}")
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

_FIND = """
SELECT t.name, t.role, t.scopes, t.domain_ids, t.account_id, t.expires_at, t.expires_at <= now() AS expired,
       c.role AS account_role, c.localpart, c.domain_id, d.name AS domain,
       c.suspended OR d.suspended OR 'http' = ANY (c.disabled) AS blocked,
       ARRAY(SELECT a.domain_id FROM domain_admin a WHERE a.account_id = t.account_id) AS managed
  FROM api_token t LEFT JOIN account c ON c.id = t.account_id LEFT JOIN domain d ON d.id = c.domain_id
 WHERE t.sha256 = $1
"""
_LIST = """
SELECT t.name, t.role, t.scopes, t.domain_ids, c.localpart, d.name AS domain, t.created_at, t.expires_at,
       t.last_used_at, t.created_by,
       ARRAY(SELECT m.name FROM domain m WHERE m.id = ANY (t.domain_ids) ORDER BY m.name) AS domains
  FROM api_token t LEFT JOIN account c ON c.id = t.account_id LEFT JOIN domain d ON d.id = c.domain_id
"""

_KEEP = """
INSERT INTO api_token AS t (name, sha256, role, scopes, created_by) VALUES ($1, $2, $3, '{*}', '')
ON CONFLICT (name) DO UPDATE
   SET sha256 = excluded.sha256, role = excluded.role, scopes = excluded.scopes, account_id = NULL, domain_ids = '{}',
       expires_at = NULL, created_at = now(), last_used_at = NULL
 WHERE (t.sha256, t.role, t.scopes) IS DISTINCT FROM (excluded.sha256, excluded.role, excluded.scopes)
    OR t.domain_ids <> '{}' OR t.account_id IS NOT NULL OR t.expires_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token may do. Without an account it is a service's."""

    name: str
    role: Role = Role.SUPER_ADMIN
    scopes: Sequence[str] = ("*",)
    account_id: int | None = None
    domains: Sequence[str] = ()
    """Of a service with role domain-admin; of an admin's token a restriction to these."""
    expires_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """What can be known of a token afterwards."""

    name: str
    role: Role
    scopes: tuple[str, ...]
    account: str | None
    domains: tuple[str, ...]
    domain_ids: frozenset[int]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    created_by: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What the bearer of a token may do now: no more than the token and than its account."""

    name: str
    role: Role
    scopes: frozenset[str]
    domain_ids: frozenset[int]
    account_id: int | None
    address: str | None
    expires_at: datetime | None


async def create_token(connection: Connection, name: str) -> str:
    """The secret of a service that may do everything. Raises TokenExists, InvalidValue."""
    return await add_token(connection, NewToken(name))


async def add_token(connection: Connection, new: NewToken) -> str:
    """The secret: nobody can read it again. Raises TokenExists, InvalidValue, NoSuchDomain."""
    secret = _new_secret()
    await store_token(connection, new.name, secret, new)
    return secret


async def store_token(connection: Connection, name: str, secret: str, new: NewToken | None = None) -> None:
    """Let a secret made elsewhere (a Kubernetes Secret, a file) be `name`'s. Raises as add_token."""
    new = new or NewToken(name)
    if not _NAME.fullmatch(name):
        raise InvalidValue("a token's name has 1 to 100 letters, digits, spaces and . _ @ / -")
    if not _SECRET.fullmatch(secret):
        raise InvalidValue(f"a token is {PREFIX} and 32 random bytes in URL-safe base64")
    scopes = check_scopes(new.scopes)
    domain_ids = await _domain_ids(connection, new.domains)
    if new.role is Role.USER and new.account_id is None:
        raise InvalidValue("a token of the role user needs an account")
    status = await connection.execute(
        "INSERT INTO api_token (name, sha256, role, scopes, account_id, domain_ids, expires_at, created_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        name,
        _digest(secret),
        new.role.value,
        scopes,
        new.account_id,
        domain_ids,
        new.expires_at,
        new.created_by,
    )
    if status != "INSERT 0 1":
        raise TokenExists(f"token {name} exists")


async def keep_token(connection: Connection, name: str, secret: str) -> bool:
    """Make a secret made elsewhere that of the service `name`, which may do everything; whether it was not so before.

    What the name's secret was until now is refused from then on. Raises InvalidValue, TokenExists (the secret is
    another token's).
    """
    if not _SECRET.fullmatch(secret):
        raise InvalidValue(f"a token is {PREFIX} and 32 random bytes in URL-safe base64")
    try:
        status = await connection.execute(_KEEP, name, _digest(secret), Role.SUPER_ADMIN.value)
    except asyncpg.UniqueViolationError as error:
        raise TokenExists(f"the secret for {name} is another token's") from error
    return bool(status == "INSERT 0 1")


async def rotate_token(connection: Connection, name: str, *, expires_at: datetime | None) -> str:
    """A new secret for the same token; the old one is refused from now on. Raises NoSuchToken."""
    secret = _new_secret()
    status = await connection.execute(
        "UPDATE api_token SET sha256 = $2, expires_at = $3, created_at = now(), last_used_at = NULL WHERE name = $1",
        name,
        _digest(secret),
        expires_at,
    )
    if status != "UPDATE 1":
        raise NoSuchToken(f"no token {name}")
    return secret


async def find_grant(connection: Connection, secret: str) -> Grant | None:
    """What the secret's bearer may do; None: no such token, expired, or its account may not come in.

    The look-up is by digest, so its time says nothing about the secret.
    """
    if not _SECRET.fullmatch(secret):
        return None
    row = await connection.fetchrow(_FIND, _digest(secret))
    if row is None or row["expired"] or row["blocked"]:
        return None
    role, scopes, chosen = Role(row["role"]), frozenset(row["scopes"]), frozenset(row["domain_ids"])
    if row["account_id"] is None:
        return Grant(row["name"], role, scopes, chosen, None, None, row["expires_at"])
    own = frozenset({row["domain_id"], *row["managed"]})
    role = least(role, Role(row["account_role"]))
    if role is Role.SUPER_ADMIN and chosen:
        role = Role.DOMAIN_ADMIN  # of all that he may, these only
        own = chosen
    address = str(Address(row["localpart"], row["domain"]))
    domain_ids = own & chosen if chosen else own
    return Grant(row["name"], role, scopes, domain_ids, row["account_id"], address, row["expires_at"])


async def verify_token(connection: Connection, secret: str) -> str | None:
    """The token's name; None as find_grant."""
    grant = await find_grant(connection, secret)
    return None if grant is None else grant.name


async def get_token(connection: Connection, name: str) -> Token:
    """Raises NoSuchToken."""
    row = await connection.fetchrow(f"{_LIST} WHERE t.name = $1", name)
    if row is None:
        raise NoSuchToken(f"no token {name}")
    return _token(row)


async def list_tokens(
    connection: Connection, *, after: str = "", limit: int = 100, account_id: int | None = None
) -> list[Token]:
    """By name; `after` is the last name of the page before. `account_id`: only those that act as this account."""
    rows = await connection.fetch(
        f"{_LIST} WHERE t.name > $1 AND ($2::bigint IS NULL OR t.account_id = $2) ORDER BY t.name LIMIT $3",
        after,
        account_id,
        limit,
    )
    return [_token(row) for row in rows]


async def delete_token(connection: Connection, name: str) -> None:
    """Raises NoSuchToken."""
    if await connection.execute("DELETE FROM api_token WHERE name = $1", name) != "DELETE 1":
        raise NoSuchToken(f"no token {name}")


def check_scopes(scopes: Collection[str]) -> list[str]:
    """Without doubles. Raises InvalidValue."""
    if not scopes:
        raise InvalidValue("a token has at least one scope")
    unknown = sorted(set(scopes) - SCOPES)
    if unknown:
        raise InvalidValue(f"there is no scope {unknown[0][:40]!r}: scopes are *, read, RESOURCE:read, RESOURCE:write")
    return sorted(set(scopes))


async def _domain_ids(connection: Connection, names: Sequence[str]) -> list[int]:
    if len(names) > MAX_DOMAINS:
        raise InvalidValue(f"a token has at most {MAX_DOMAINS} domains")
    wanted = list(dict.fromkeys(normalize_domain(name) for name in names))
    rows = await connection.fetch("SELECT id, name FROM domain WHERE name = ANY ($1)", wanted)
    known = {row["name"]: row["id"] for row in rows}
    for name in wanted:
        if name not in known:
            raise NoSuchDomain(f"no domain {name}")
    return sorted(known.values())


def _token(row: Any) -> Token:
    return Token(
        name=row["name"],
        role=Role(row["role"]),
        scopes=tuple(row["scopes"]),
        account=None if row["localpart"] is None else str(Address(row["localpart"], row["domain"])),
        domains=tuple(row["domains"]),
        domain_ids=frozenset(row["domain_ids"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        created_by=row["created_by"],
    )


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
