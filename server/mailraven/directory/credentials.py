"""An account's credentials as a whole: what they are worth now, a new password, the end of all sessions."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.db import Connection
from mailraven.directory.address import Address
from mailraven.directory.errors import NoSuchAccount, VersionMismatch
from mailraven.directory.locks import notify

_SELECT = """
SELECT c.localpart, d.name AS domain, c.domain_id, c.display_name, c.role, c.credential_version,
       c.totp_confirmed_at IS NOT NULL AS totp
  FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE c.id = $1
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose credentials they are. `version` rises with each change of them."""

    account_id: int
    address: str
    domain_id: int
    display_name: str
    role: str
    version: int
    totp: bool


async def read_owner(connection: Connection, account_id: int) -> Owner:
    """Raises NoSuchAccount."""
    row = await connection.fetchrow(_SELECT, account_id)
    if row is None:
        raise NoSuchAccount("the account is gone")
    address = str(Address(row["localpart"], row["domain"]))
    return Owner(
        account_id,
        address,
        row["domain_id"],
        row["display_name"],
        row["role"],
        row["credential_version"],
        row["totp"],
    )


async def lock_owner(connection: Connection, known: Owner) -> None:
    """For the rest of the transaction. Raises NoSuchAccount, and VersionMismatch when the credentials that were proven
    are not those of the account any more.
    """
    version = await connection.fetchval(
        "SELECT credential_version FROM account WHERE id = $1 FOR NO KEY UPDATE", known.account_id
    )
    if version is None:
        raise NoSuchAccount("the account is gone")
    if version != known.version:
        raise VersionMismatch("the credentials of the account have changed meanwhile")


async def set_password(
    connection: Connection, account_id: int, password_hash: str, *, delete_app_passwords: bool = False
) -> None:
    """All sessions end; app passwords go too if that is wanted. Raises NoSuchAccount."""
    status = await connection.execute(
        "UPDATE account SET password_hash = $2, credential_version = credential_version + 1,"
        " version = version + 1, updated_at = now() WHERE id = $1",
        account_id,
        password_hash,
    )
    if status != "UPDATE 1":
        raise NoSuchAccount("the account is gone")
    if delete_app_passwords:
        await connection.execute("DELETE FROM app_password WHERE account_id = $1", account_id)
    await notify(connection)


async def end_all_sessions(connection: Connection, account_id: int) -> None:
    """Of all protocols; whoever has the credentials may come again. Raises NoSuchAccount."""
    status = await connection.execute(
        "UPDATE account SET credential_version = credential_version + 1 WHERE id = $1", account_id
    )
    if status != "UPDATE 1":
        raise NoSuchAccount("the account is gone")
    await connection.execute("DELETE FROM web_session WHERE account_id = $1", account_id)
    await notify(connection)
