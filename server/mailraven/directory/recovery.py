"""Recovery codes: ten for an account, each opens the second factor once when the authenticator is lost."""

from __future__ import annotations

from mailraven.db import Connection
from mailraven.directory import codes

COUNT = 10
GROUPS = 4  # 79 bits


async def renew_recovery_codes(connection: Connection, account_id: int) -> tuple[str, ...]:
    """New ones in place of the old, to be shown once."""
    made = tuple(codes.make_code(GROUPS) for _ in range(COUNT))
    await connection.execute("DELETE FROM recovery_code WHERE account_id = $1", account_id)
    await connection.execute(
        "INSERT INTO recovery_code (account_id, sha256) SELECT $1, unnest($2::bytea[])",
        account_id,
        [codes.digest(code) for code in made],
    )
    return made


async def use_recovery_code(connection: Connection, account_id: int, code: str) -> bool:
    """Whether it was one; then it is gone. Of two that use the same at once, one wins: the other finds no row."""
    status = await connection.execute(
        "DELETE FROM recovery_code r USING account c"
        " WHERE c.id = r.account_id AND c.totp_confirmed_at IS NOT NULL AND r.account_id = $1 AND r.sha256 = $2",
        account_id,
        codes.digest(code),
    )
    return bool(status == "DELETE 1")


async def count_recovery_codes(connection: Connection, account_id: int) -> int:
    """How many are left."""
    left: int = await connection.fetchval("SELECT count(*) FROM recovery_code WHERE account_id = $1", account_id)
    return left
