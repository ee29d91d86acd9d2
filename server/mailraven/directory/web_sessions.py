"""Browser sessions: a cookie of 32 random bytes, stored as SHA-256, with a CSRF token, an idle and an absolute end."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailraven.db import Connection
from mailraven.directory.address import Address
from mailraven.directory.model import Identity
from mailraven.directory.roles import Role

PER_ACCOUNT = 50  # more sessions than this: the one that was used longest ago ends
_IP_CHARACTERS, _AGENT_CHARACTERS = 64, 200

_INSERT = """
INSERT INTO web_session (sha256, account_id, credential_version, csrf_sha256, expires_at, ip, user_agent)
VALUES ($1, $2, $3, $4, now() + make_interval(hours => $5), $6, $7) RETURNING expires_at
"""
_TRIM = """
DELETE FROM web_session WHERE sha256 IN (
    SELECT sha256 FROM web_session WHERE account_id = $1 ORDER BY last_seen_at DESC, created_at DESC OFFSET $2)
"""
# A change of the account's credentials or rights ends the sessions from before.
_FIND = """
SELECT s.sha256, s.csrf_sha256, s.created_at, s.expires_at, c.id AS account_id, c.localpart, c.role, c.domain_id,
       c.display_name, d.name AS domain, s.last_seen_at < now() - interval '1 minute' AS stale,
       c.totp_confirmed_at IS NULL AND
       coalesce(d.spec #>> '{security,auth,totp_enforced}',
                d.template #>> '{security,auth,totp_enforced}', 'false') = 'true' AS must_enrol,
       ARRAY(SELECT a.domain_id FROM domain_admin a WHERE a.account_id = c.id) AS managed
  FROM web_session s JOIN account c ON c.id = s.account_id JOIN domain d ON d.id = c.domain_id
 WHERE s.sha256 = $1 AND s.expires_at > now() AND s.last_seen_at > now() - make_interval(mins => $2)
   AND s.credential_version = c.credential_version
   AND NOT c.suspended AND NOT d.suspended AND NOT 'http' = ANY (c.disabled)
"""
_LIST = """
SELECT s.sha256, s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent
  FROM web_session s JOIN account c ON c.id = s.account_id
 WHERE s.account_id = $1 AND s.expires_at > now() AND s.last_seen_at > now() - make_interval(mins => $2)
   AND s.credential_version = c.credential_version
 ORDER BY s.created_at DESC, s.sha256
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """Shown to the browser once."""

    cookie: str
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session that holds now."""

    sha256: bytes
    csrf_sha256: bytes
    account_id: int
    address: str
    display_name: str
    role: Role
    domain_ids: frozenset[int]
    must_enrol: bool
    created_at: datetime
    expires_at: datetime

    def has_csrf_token(self, token: str) -> bool:
        """Whether the token belongs to this session."""
        return hmac.compare_digest(self.csrf_sha256, _digest(token))


@dataclass(frozen=True, slots=True)
class ListedSession:
    """What its owner and his admins see of a session. `id` names it and opens nothing."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str


async def open_session(
    connection: Connection, identity: Identity, *, hours: int, ip: str = "", user_agent: str = ""
) -> Opened:
    """For who proved all his factors. Call it in a transaction."""
    cookie = secrets.token_urlsafe(32)
    csrf_token = csrf_token_of(cookie)
    expires_at = await connection.fetchval(
        _INSERT,
        _digest(cookie),
        identity.account_id,
        identity.credential_version,
        _digest(csrf_token),
        hours,
        ip[:_IP_CHARACTERS],
        "".join(c for c in user_agent if c.isprintable())[:_AGENT_CHARACTERS],
    )
    await connection.execute(_TRIM, identity.account_id, PER_ACCOUNT)
    return Opened(cookie, csrf_token, expires_at)


def csrf_token_of(cookie: str) -> str:
    """What scripts of our own origin send beside the cookie; a page that was loaded anew may ask for it again.

    Who can read it could read the cookie's answers anyway, and it does not lead back to the cookie.
    """
    return hmac.new(cookie.encode(errors="surrogatepass"), b"csrf", "sha256").hexdigest()


async def find_session(connection: Connection, cookie: str, *, idle_minutes: int) -> WebSession | None:
    """The session that the cookie opens; it is not idle any more then."""
    row = await connection.fetchrow(_FIND, _digest(cookie), idle_minutes)
    if row is None:
        return None
    if row["stale"]:
        await connection.execute("UPDATE web_session SET last_seen_at = now() WHERE sha256 = $1", row["sha256"])
    return _session(row)


async def list_sessions(connection: Connection, account_id: int, *, idle_minutes: int) -> list[ListedSession]:
    """The newest first."""
    rows = await connection.fetch(_LIST, account_id, idle_minutes)
    return [
        ListedSession(
            row["sha256"].hex()[:32],
            row["created_at"],
            row["last_seen_at"],
            row["expires_at"],
            row["ip"],
            row["user_agent"],
        )
        for row in rows
    ]


async def end_session(connection: Connection, sha256: bytes) -> bool:
    """Whether there was one."""
    status: str = await connection.execute("DELETE FROM web_session WHERE sha256 = $1", sha256)
    return status == "DELETE 1"


async def end_by_cookie(connection: Connection, cookie: str) -> None:
    """The session that the cookie opens, if it opens one."""
    await end_session(connection, _digest(cookie))


async def end_sessions(connection: Connection, account_id: int, *, except_for: bytes | None = None) -> int:
    """All of an account but one. How many there were."""
    status: str = await connection.execute(
        "DELETE FROM web_session WHERE account_id = $1 AND sha256 IS DISTINCT FROM $2", account_id, except_for
    )
    return int(status.rpartition(" ")[2])


async def expire(connection: Connection, *, idle_minutes: int, limit: int = 10_000) -> int:
    """Delete what opens nothing any more. How many."""
    status: str = await connection.execute(
        "DELETE FROM web_session WHERE sha256 IN (SELECT sha256 FROM web_session"
        " WHERE expires_at <= now() OR last_seen_at <= now() - make_interval(mins => $1) LIMIT $2)",
        idle_minutes,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _session(row: Any) -> WebSession:
    return WebSession(
        sha256=row["sha256"],
        csrf_sha256=row["csrf_sha256"],
        account_id=row["account_id"],
        address=str(Address(row["localpart"], row["domain"])),
        display_name=row["display_name"],
        role=Role(row["role"]),
        domain_ids=frozenset({row["domain_id"], *row["managed"]}),
        must_enrol=row["must_enrol"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
