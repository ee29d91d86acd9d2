"""Two domains with accounts, mail and tokens of every kind, made anew as often as a test has destroyed some of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from mailraven.db import Connection
from mailraven.directory.roles import Role
from mailraven.directory.tokens import PREFIX
from mailraven.testing.admin_api import AdminApi
from mailraven.testing.mail_api import RAW

OWN, FOREIGN = "own.example", "foreign.example"
ANN, BOB, CARL, DORA = f"ann@{OWN}", f"bob@{OWN}", f"carl@{OWN}", f"dora@{FOREIGN}"
MESSAGE = b"From: bob@own.example\r\nTo: ann@own.example\r\nSubject: x\r\nDate: 1 Jan 2026 00:00:00 +0000\r\n\r\nx\r\n"


class Caller(Enum):
    """Who asks for what belongs to ann@own.example, or to own.example."""

    NOBODY = "no credential"
    BAD = "bad token"
    EXPIRED = "expired token"
    USER = "user"
    OTHER_USER = "user, foreign"
    ADMIN = "domain-admin, own"
    OTHER_ADMIN = "domain-admin, foreign"
    SUPER = "super-admin"
    READ_ONLY = "read-only token"
    WRONG_SCOPE = "wrong scope"


_ACCOUNTS = {ANN: Role.USER, BOB: Role.USER, CARL: Role.DOMAIN_ADMIN, DORA: Role.DOMAIN_ADMIN}
_BOUND = {Caller.USER: ANN, Caller.OTHER_USER: BOB, Caller.ADMIN: CARL, Caller.OTHER_ADMIN: DORA}
WRONG_SCOPE = "certificates:read"
_SERVICES = (Caller.EXPIRED, Caller.SUPER, Caller.READ_ONLY, Caller.WRONG_SCOPE)


@dataclass(slots=True)
class RoleWorld:
    """`values` are what the parameters of paths stand for."""

    api: AdminApi
    secrets: dict[Caller, str] = field(default_factory=lambda: {who: _secret() for who in (*_BOUND, *_SERVICES)})
    values: dict[str, str] = field(default_factory=dict)

    async def mend(self) -> None:
        """Make what is missing, and let everybody be what he was."""
        directory = self.api.services.directory
        async with self.api.services.database.acquire() as connection:
            there = {row["name"] for row in await connection.fetch("SELECT name FROM domain")}
            known = {row["a"] for row in await connection.fetch(_ADDRESSES)}
        for name in {OWN, FOREIGN} - there:
            await directory.create_domain(name)
        for address in _ACCOUNTS.keys() - known:
            await directory.create_account(address, None)
        async with self.api.services.database.transaction() as connection:
            await self._mend_rows(connection)
        directory.invalidate()
        await self.api.services.settings.load()  # who calls is exempt from limits again
        await self._mend_mail()

    def headers(self, caller: Caller) -> dict[str, str]:
        """The credential."""
        if caller is Caller.NOBODY:
            return {}
        return {"Authorization": f"Bearer {self.secrets.get(caller) or _secret()}"}

    async def _mend_rows(self, connection: Connection) -> None:
        for address, role in _ACCOUNTS.items():
            await connection.execute(_STANDING, *address.split("@"), role.value)
        for table in ("setting", "limit_policy", "ban"):
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
        await connection.execute("UPDATE domain SET suspended = false, spec = '{}', template = '{}'")
        past = datetime.now(UTC) - timedelta(seconds=1)
        for caller, secret in self.secrets.items():
            bound = _BOUND.get(caller)
            role = Role.SUPER_ADMIN if bound is None else _ACCOUNTS[bound]
            scopes = {Caller.READ_ONLY: ["read"], Caller.WRONG_SCOPE: [WRONG_SCOPE]}.get(caller, ["*"])
            expires_at = past if caller is Caller.EXPIRED else None
            digest = hashlib.sha256(secret.encode()).digest()
            localpart, _, domain = (bound or "").partition("@")
            await connection.execute(
                _GRANT, caller.value.replace(",", ""), digest, role.value, scopes, localpart, domain, expires_at
            )

    async def _mend_mail(self) -> None:
        base = f"/api/v1/accounts/{ANN}/mailboxes"
        async with self.api.connect(self.secrets[Caller.SUPER]) as client:
            mailboxes = (await client.get(base)).raise_for_status().json()["items"]
            inbox = next(mailbox["id"] for mailbox in mailboxes if mailbox["name"] == "INBOX")
            found = (await client.get(f"{base}/{inbox}/messages")).raise_for_status().json()["items"]
            if not found:
                made = await client.post(f"{base}/{inbox}/messages", content=MESSAGE, headers=RAW)
                found = [made.raise_for_status().json()]
        self.values |= {"mailbox_id": str(inbox), "uid": str(found[0]["uid"])}


def _secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


_ADDRESSES = "SELECT c.localpart || '@' || d.name AS a FROM account c JOIN domain d ON d.id = c.domain_id"
_STANDING = """
UPDATE account c SET role = $3, suspended = false, disabled = '{}' FROM domain d
 WHERE d.id = c.domain_id AND c.localpart = $1 AND d.name = $2
"""
_GRANT = """
INSERT INTO api_token (name, sha256, role, scopes, account_id, expires_at)
VALUES ($1, $2, $3, $4,
        (SELECT c.id FROM account c JOIN domain d ON d.id = c.domain_id WHERE c.localpart = $5 AND d.name = $6), $7)
ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, role = excluded.role, scopes = excluded.scopes,
    account_id = excluded.account_id, expires_at = excluded.expires_at
"""
