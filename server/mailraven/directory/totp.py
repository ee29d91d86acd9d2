"""The second factor: time-based one-time passwords (RFC 6238), or a recovery code.

For whoever opens a browser session: `identity = await directory.authenticate(login, password, protocol="http")`, then
if `needs_second_factor(identity)` the login counts only when `second_factor(…)` is true; if `must_enrol(identity)` the
session may do nothing but enrol (/api/v1/me, /api/v1/me/totp) and log out.
"""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass
from typing import Any

import pyotp

from mailraven.db import Connection, Database, DatabaseUnavailable
from mailraven.directory.errors import (
    AlreadyEnrolled,
    DirectoryUnavailable,
    NoSuchAccount,
    NotEnrolled,
    WrongCode,
)
from mailraven.directory.locks import notify
from mailraven.directory.model import Identity
from mailraven.directory.recovery import renew_recovery_codes, use_recovery_code
from mailraven.sealing import Sealer, totp_purpose

STEP_SECONDS = 30
WINDOW = 1  # steps that a clock may be off (RFC 6238 §5.2)
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Shown once: the secret in base32, and the same as a URI for a QR code."""

    secret: str
    uri: str


def needs_second_factor(identity: Identity) -> bool:
    """Whether the password alone opens no browser session of this account: ask for a code."""
    return identity.totp


def must_enrol(identity: Identity) -> bool:
    """Whether the domain demands a second factor that the account does not have yet: the session may only enrol."""
    return identity.totp_enforced and not identity.totp


async def second_factor(
    database: Database, sealer: Sealer, account_id: int, code: str, *, now: float | None = None
) -> bool:
    """Whether `code` is the authenticator's, or a recovery code; it is used up by that (RFC 6238 §5.2).

    Also false for an account without a second factor. Count a false one as a failed login: six digits can be guessed.
    Raises DirectoryUnavailable (try later), SealingError (the master key is gone).
    """
    text = "".join(code.split())[:100]
    try:
        async with database.acquire() as connection:
            if _CODE.fullmatch(text):
                return await _use_code(connection, sealer, account_id, text, time.time() if now is None else now)
            return await use_recovery_code(connection, account_id, text)
    except DatabaseUnavailable as error:
        raise DirectoryUnavailable("the directory is not available") from error


async def begin_enrolment(
    connection: Connection, sealer: Sealer, account_id: int, address: str, *, issuer: str
) -> Enrolment:
    """A new secret, in force when it is confirmed; the one of a begun enrolment is forgotten. Raises AlreadyEnrolled,
    NoSuchAccount, SealingError (no master key).
    """
    secret = pyotp.random_base32()  # 160 bits (RFC 4226 §4 R6)
    sealed = sealer.seal(totp_purpose(account_id), secret.encode("ascii"))
    row = await _lock(connection, account_id)
    if row["totp_confirmed_at"] is not None:
        raise AlreadyEnrolled("the account has a second factor: remove it first")
    await connection.execute(
        "UPDATE account SET totp_sealed = $2, totp_last_step = 0 WHERE id = $1", account_id, sealed
    )
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=address, issuer_name=issuer))


async def confirm_enrolment(
    connection: Connection, sealer: Sealer, account_id: int, code: str, *, now: float | None = None
) -> tuple[str, ...]:
    """The second factor is in force from here on; the recovery codes, shown once. All sessions end.

    Raises NotEnrolled (nothing was begun), AlreadyEnrolled, WrongCode, NoSuchAccount, SealingError.
    """
    row = await _lock(connection, account_id)
    if row["totp_confirmed_at"] is not None:
        raise AlreadyEnrolled("the account has a second factor already")
    if row["totp_sealed"] is None:
        raise NotEnrolled("begin the enrolment first")
    text = "".join(code.split())[:100]
    step = _matching_step(
        sealer.open(totp_purpose(account_id), row["totp_sealed"]), text, time.time() if now is None else now
    )
    if step is None:
        raise WrongCode("the code is wrong, or the clock of the device is more than 30 seconds off")
    await connection.execute(
        "UPDATE account SET totp_confirmed_at = now(), totp_last_step = $2,"
        " credential_version = credential_version + 1 WHERE id = $1",
        account_id,
        step,
    )
    made = await renew_recovery_codes(connection, account_id)
    await notify(connection)
    return made


async def remove_second_factor(connection: Connection, account_id: int) -> bool:
    """With its recovery codes; all sessions end. Whether there was one. Raises NoSuchAccount."""
    row = await _lock(connection, account_id)
    if row["totp_sealed"] is None:
        return False
    await connection.execute(
        "UPDATE account SET totp_sealed = NULL, totp_confirmed_at = NULL, totp_last_step = 0,"
        " credential_version = credential_version + 1 WHERE id = $1",
        account_id,
    )
    await connection.execute("DELETE FROM recovery_code WHERE account_id = $1", account_id)
    await notify(connection)
    return row["totp_confirmed_at"] is not None


async def _use_code(connection: Connection, sealer: Sealer, account_id: int, code: str, now: float) -> bool:
    sealed = await connection.fetchval(
        "SELECT totp_sealed FROM account WHERE id = $1 AND totp_confirmed_at IS NOT NULL", account_id
    )
    if sealed is None:
        return False
    step = _matching_step(sealer.open(totp_purpose(account_id), sealed), code, now)
    if step is None:
        return False
    # The guard is the answer: a code that was used already, here or in another process, changes no row.
    status = await connection.execute(
        "UPDATE account SET totp_last_step = $2"
        " WHERE id = $1 AND totp_last_step < $2 AND totp_sealed = $3 AND totp_confirmed_at IS NOT NULL",
        account_id,
        step,
        sealed,
    )
    return bool(status == "UPDATE 1")


def _matching_step(secret: bytes, code: str, now: float) -> int | None:
    """The newest step in the window with this code. All are computed, whichever it is."""
    if not _CODE.fullmatch(code):
        return None
    generator = pyotp.TOTP(secret.decode("ascii"))
    current, found = int(now) // STEP_SECONDS, None
    for step in range(current - WINDOW, current + WINDOW + 1):
        if hmac.compare_digest(generator.generate_otp(step), code):
            found = step
    return found


async def _lock(connection: Connection, account_id: int) -> Any:
    row = await connection.fetchrow(
        "SELECT totp_sealed, totp_confirmed_at FROM account WHERE id = $1 FOR NO KEY UPDATE", account_id
    )
    if row is None:
        raise NoSuchAccount("no such account")
    return row
