"""What the database says of an account that signs in, and the rules of who gets in where. One query, the rest is pure.

Mail protocols cannot ask for a second factor: where there is one, or has to be, app passwords take its place.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mailraven.db import Connection
from mailraven.directory.address import Address
from mailraven.directory.model import Identity

Protocol = Literal["smtp", "imap", "http"]

# A domain's settings are its template, overlaid by what was set for it (0002_administration.sql).
_COLUMNS = """
SELECT c.id, c.localpart, d.name AS domain, c.display_name, c.domain_id, c.role, c.credential_version,
       c.password_hash, c.suspended OR d.suspended AS suspended, c.disabled,
       c.totp_confirmed_at IS NOT NULL AS totp,
       coalesce(d.spec #>> '{security,auth,totp_enforced}',
                d.template #>> '{security,auth,totp_enforced}', 'false') = 'true' AS totp_enforced,
       ARRAY(SELECT (p.id, p.sha256, p.protocols, extract(epoch FROM p.expires_at - now())::float8)
               FROM app_password p
              WHERE p.account_id = c.id AND (p.expires_at IS NULL OR p.expires_at > now())) AS app_passwords
  FROM account c JOIN domain d ON d.id = c.domain_id
"""
# A name is a domain or another name of one.
_WITH_ADDRESS = """
 WHERE c.localpart = $1
   AND d.id = coalesce((SELECT id FROM domain WHERE name = $2), (SELECT domain_id FROM domain_alias WHERE name = $2))
"""
_WITH_ID = " WHERE c.id = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One that has not expired. `expires` is a time of the process's monotonic clock."""

    id: int
    sha256: bytes
    protocols: frozenset[str]
    expires: float | None

    def opens(self, protocol: Protocol, now: float) -> bool:
        """Whether it is good for the protocol at this moment."""
        return protocol in self.protocols and (self.expires is None or now < self.expires)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as its row was when it was read."""

    identity: Identity
    password_hash: str | None
    suspended: bool
    disabled: frozenset[str]
    app_passwords: tuple[AppPassword, ...]

    def admits(self, protocol: Protocol) -> bool:
        """Whether anybody may come in here at all."""
        return not self.suspended and protocol not in self.disabled

    def takes_password(self, protocol: Protocol) -> bool:
        """Whether the account's own password opens the protocol; on the web a second factor may follow."""
        return protocol == "http" or not (self.identity.totp or self.identity.totp_enforced)

    def app_password(self, sha256: bytes, protocol: Protocol, now: float) -> AppPassword | None:
        """The one with this digest. All are looked at, whichever it is."""
        found = None
        for one in self.app_passwords:
            if hmac.compare_digest(one.sha256, sha256) and one.opens(protocol, now):
                found = one
        return found

    def keeps(self, identity: Identity, protocol: Protocol, now: float) -> bool:
        """Whether a session that began with `identity` may go on."""
        if identity.account_id != self.identity.account_id or not self.admits(protocol):
            return False
        if identity.credential_version != self.identity.credential_version:
            return False
        if identity.app_password is None:
            return self.takes_password(protocol)
        return any(one.id == identity.app_password and one.opens(protocol, now) for one in self.app_passwords)


async def read_standing(connection: Connection, address: Address, now: float) -> Standing | None:
    """Of the account with this canonical address, also below an alias of its domain. None: there is none."""
    row = await connection.fetchrow(_COLUMNS + _WITH_ADDRESS, address.key, address.domain)
    return None if row is None else _standing(row, now)


async def read_standings(connection: Connection, account_ids: Sequence[int], now: float) -> dict[int, Standing]:
    """By account; those that are gone are missing."""
    return {row["id"]: _standing(row, now) for row in await connection.fetch(_COLUMNS + _WITH_ID, account_ids)}


def _standing(row: Any, now: float) -> Standing:
    identity = Identity(
        account_id=row["id"],
        address=str(Address(row["localpart"], row["domain"])),
        display_name=row["display_name"],
        domain_id=row["domain_id"],
        role=row["role"],
        credential_version=row["credential_version"],
        totp=row["totp"],
        totp_enforced=row["totp_enforced"],
    )
    return Standing(
        identity=identity,
        password_hash=row["password_hash"],
        suspended=row["suspended"],
        disabled=frozenset(row["disabled"]),
        app_passwords=tuple(
            AppPassword(one, sha256, frozenset(protocols), None if left is None else now + left)
            for one, sha256, protocols, left in row["app_passwords"]
        ),
    )
