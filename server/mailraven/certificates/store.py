"""Rows of the certificate store. Every change tells all processes on the channel below, as part of its transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from mailraven.certificates.checking import Checked
from mailraven.certificates.errors import NoSuchCertificate
from mailraven.directory.errors import VersionMismatch
from mailraven.sealing import Sealer, SealingError, certificate_purpose

CHANNEL = "mailraven_certificates"
_COLUMNS = (
    "name, chain, names, issuer, serial, fingerprint, key_type, not_before, not_after, version, created_at, updated_at"
)
_PUT = f"""
INSERT INTO certificate AS c
    (name, chain, key_sealed, names, issuer, serial, fingerprint, key_type, not_before, not_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (name) DO UPDATE SET
    chain = excluded.chain, key_sealed = excluded.key_sealed, names = excluded.names, issuer = excluded.issuer,
    serial = excluded.serial, fingerprint = excluded.fingerprint, key_type = excluded.key_type,
    not_before = excluded.not_before, not_after = excluded.not_after, version = c.version + 1, updated_at = now()
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A row without the private key."""

    name: str
    chain: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    fingerprint: str
    key_type: str
    not_before: dt.datetime
    not_after: dt.datetime
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Put:
    """What a put did."""

    before: StoredCertificate | None
    after: StoredCertificate

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return self.before is None or self.before.version != self.after.version

    @property
    def names_lost(self) -> tuple[str, ...]:
        """Names that the certificate before had: their clients get the default certificate from now on."""
        if self.before is None:
            return ()
        return tuple(name for name in self.before.names if name not in self.after.names)


async def put_certificate(
    connection: Any, sealer: Sealer, name: str, checked: Checked, *, expected: int | None = None
) -> Put:
    """Stores or replaces, in a transaction of the caller; the same content again changes nothing.

    Raises NoMasterKey, VersionMismatch (when `expected` is not the version).
    """
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, key_sealed FROM certificate WHERE name = $1 FOR UPDATE",  # noqa: S608 - names written in the program
        name,
    )
    before = None if row is None else _stored(row)
    if expected is not None and (before is None or before.version != expected):
        raise VersionMismatch("the certificate was changed meanwhile")
    if before is not None and before.chain == checked.chain and _opens(sealer, name, row["key_sealed"], checked.key):
        return Put(before, before)
    after = _stored(
        await connection.fetchrow(
            _PUT,
            name,
            checked.chain,
            sealer.seal(certificate_purpose(name), checked.key),
            list(checked.names),
            checked.issuer,
            checked.serial,
            checked.fingerprint,
            checked.key_type,
            checked.not_before,
            checked.not_after,
        )
    )
    await _tell(connection, name)
    return Put(before, after)


async def delete_certificate(connection: Any, name: str, *, expected: int | None = None) -> StoredCertificate:
    """Raises NoSuchCertificate, VersionMismatch."""
    found = await get_certificate(connection, name, lock=True)
    if expected is not None and found.version != expected:
        raise VersionMismatch("the certificate was changed meanwhile")
    await connection.execute("DELETE FROM certificate WHERE name = $1", name)
    await _tell(connection, name)
    return found


async def get_certificate(connection: Any, name: str, *, lock: bool = False) -> StoredCertificate:
    """Raises NoSuchCertificate."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM certificate WHERE name = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - names written in the program
        name,
    )
    if row is None:
        raise NoSuchCertificate(f"there is no certificate {name!r}")
    return _stored(row)


async def list_certificates(connection: Any, *, after: str = "", limit: int = 100) -> list[StoredCertificate]:
    """By name, from the one that follows `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM certificate WHERE name > $1 ORDER BY name LIMIT $2",  # noqa: S608 - names written in the program
        after,
        limit,
    )
    return [_stored(row) for row in rows]


def _stored(row: Any) -> StoredCertificate:
    values = {name: row[name] for name in _COLUMNS.split(", ")}
    return StoredCertificate(**values | {"names": tuple(values["names"])})


def _opens(sealer: Sealer, name: str, sealed: bytes, key: bytes) -> bool:
    """Whether the stored key is this one, sealed with the first master key."""
    try:
        return sealer.is_current(sealed) and sealer.open(certificate_purpose(name), sealed) == key
    except SealingError:
        return False


async def _tell(connection: Any, name: str) -> None:
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
