"""What can be set of an account: read as a whole, replaced, merged; inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mailraven.db import Connection
from mailraven.directory.accounts import check_address, check_display_name, check_quota, check_targets, create_account
from mailraven.directory.address import Address, parse_address
from mailraven.directory.errors import InvalidValue, NoSuchAccount, VersionMismatch
from mailraven.directory.locks import check_version, lock_domain, notify
from mailraven_api.account import AccountPatch, AccountSpec, Forwarding, Vacation
from mailraven_api.limits import merge

Document = dict[str, Any]
_SET = ("display_name", "quota_bytes", "suspended", "disabled", "limits", "labels", "forwarding", "vacation")

_READ = """
SELECT c.id, c.domain_id, d.name AS domain, c.localpart, c.display_name, c.role, c.suspended, c.disabled, c.quota_bytes,
       c.limits, c.labels, c.forwarding, c.vacation, c.version, c.created_at, c.updated_at,
       c.password_hash IS NOT NULL AS has_password
  FROM account c JOIN domain d ON d.id = c.domain_id
 WHERE d.name = $1 AND c.localpart = $2
"""

_WRITE = """
UPDATE account
   SET display_name = $2, quota_bytes = $3, suspended = $4, disabled = $5, limits = $6, labels = $7, forwarding = $8,
       vacation = $9, password_hash = CASE WHEN $10::text IS NULL THEN password_hash ELSE $10 END,
       credential_version = credential_version + $11::integer, version = version + 1, updated_at = now()
 WHERE id = $1
"""


@dataclass(frozen=True)
class StoredAccount:
    """What is set of an account."""

    id: int
    domain_id: int
    address: Address
    role: str
    display_name: str
    quota_bytes: int | None
    suspended: bool
    disabled: tuple[str, ...]
    limits: Document
    labels: dict[str, str]
    forwarding: Document | None
    vacation: Document | None
    has_password: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def settings(self) -> Document:
        """For the audit log: what can be set, by the names of the API."""
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value for name in _SET}


@dataclass(frozen=True)
class Written:
    """An account after a change; `before` is None where it is new."""

    account: StoredAccount
    before: StoredAccount | None = None
    password_changed: bool = False


async def read_account(connection: Connection, address: str, *, lock: bool = False) -> StoredAccount:
    """Raises NoSuchAccount, AddressError."""
    parsed = parse_address(address).canonical
    found = await find_account(connection, parsed, lock=lock)
    if found is None:
        raise NoSuchAccount(f"no account {parsed}")
    return found


async def find_account(connection: Connection, address: Address, *, lock: bool = False) -> StoredAccount | None:
    """By its own address, as it is stored."""
    row = await connection.fetchrow(_READ + (" FOR UPDATE OF c" if lock else ""), address.domain, address.localpart)
    if row is None:
        return None
    return StoredAccount(
        row["id"],
        row["domain_id"],
        address,
        row["role"],
        row["display_name"],
        row["quota_bytes"],
        row["suspended"],
        tuple(row["disabled"]),
        json.loads(row["limits"]),
        json.loads(row["labels"]),
        _loaded(row["forwarding"]),
        _loaded(row["vacation"]),
        row["has_password"],
        row["version"],
        row["created_at"],
        row["updated_at"],
    )


async def put_account(
    connection: Connection,
    address: str,
    spec: AccountSpec,
    password_hash: str | None = None,
    *,
    expected: int | None = None,
    keep: Collection[str] = (),
) -> Written:
    """Make it, or replace what is set, but not what `keep` names; a quota that is left out and a password that is
    None stay as they are.

    Raises NoSuchDomain, AliasExists, TooManyAccounts, AddressError, InvalidValue, VersionMismatch.
    """
    parsed = parse_address(address).canonical
    check_address(parsed)
    await lock_domain(connection, parsed.domain)  # of two that make it at once the second finds it made
    before = await find_account(connection, parsed, lock=True)
    if before is None:
        if expected is not None:
            raise VersionMismatch(f"account {parsed} does not exist")
        return await make_account(connection, address, spec, password_hash)
    check_version(expected, before.version, f"account {parsed}")
    values = _values(spec, set(_SET))
    if "quota_bytes" not in spec.model_fields_set:
        values["quota_bytes"] = before.quota_bytes
    values |= {name: value for name, value in before.settings.items() if name in keep}
    return await _write(connection, before, values, password_hash)


async def make_account(
    connection: Connection, address: str, spec: AccountSpec, password_hash: str | None = None
) -> Written:
    """Raises AccountExists and what put_account raises."""
    made = await create_account(
        connection,
        address,
        password_hash,
        display_name=spec.display_name,
        quota_bytes=spec.quota_bytes,
        default_quota="quota_bytes" not in spec.model_fields_set,
    )
    new = await read_account(connection, made.address, lock=True)
    values = _values(spec, set(_SET)) | {"quota_bytes": new.quota_bytes}
    written = await _write(connection, new, values, None, first=True)
    return replace(written, before=None)


async def patch_account(
    connection: Connection,
    address: str,
    change: AccountPatch,
    password_hash: str | None = None,
    *,
    expected: int | None = None,
) -> Written:
    """What is left out stays; limits and labels are merged. Raises NoSuchAccount, InvalidValue, VersionMismatch."""
    before = await read_account(connection, address, lock=True)
    check_version(expected, before.version, f"account {before.address}")
    values = _values(change, set(_SET) & change.model_fields_set)
    for name in ("limits", "labels"):
        if name in values:
            values[name] = merge(getattr(before, name), values[name])
    return await _write(connection, before, before.settings | values, password_hash)


async def set_forwarding(connection: Connection, address: str, forwarding: Forwarding | None) -> Written:
    """None: no forwarding. Raises NoSuchAccount, InvalidValue, AddressError."""
    return await patch_account(connection, address, AccountPatch(forwarding=forwarding))


async def set_vacation(connection: Connection, address: str, vacation: Vacation | None) -> Written:
    """Stored only. Raises NoSuchAccount."""
    return await patch_account(connection, address, AccountPatch(vacation=vacation))


async def _write(
    connection: Connection,
    before: StoredAccount,
    values: Mapping[str, Any],
    password_hash: str | None,
    *,
    first: bool = False,
) -> Written:
    values = _checked(before.address, values)
    if values == before.settings and password_hash is None:
        return Written(before, before)
    ends_sessions = password_hash is not None or values["suspended"] != before.suspended
    await connection.execute(
        _WRITE,
        before.id,
        values["display_name"],
        values["quota_bytes"],
        values["suspended"],
        values["disabled"],
        _dumped(values["limits"]),
        _dumped(values["labels"]),
        _dumped(values["forwarding"]),
        _dumped(values["vacation"]),
        password_hash,
        int(ends_sessions and not first),
    )
    if first:  # it is the same act: a new account has version 1
        await connection.execute("UPDATE account SET version = 1, updated_at = created_at WHERE id = $1", before.id)
    await notify(connection)
    after = await find_account(connection, before.address)
    if after is None:
        raise NoSuchAccount(f"no account {before.address}")
    return Written(after, before, password_hash is not None)


def _values(settings: AccountSpec | AccountPatch, names: set[str]) -> Document:
    values = settings.model_dump(mode="json", include=names)
    if "limits" in names:  # what is not set there is the domain's
        values["limits"] = settings.limits.model_dump(mode="json", exclude_unset=True)
    return values


def _checked(address: Address, values: Mapping[str, Any]) -> Document:
    checked = dict(values)
    check_display_name(checked["display_name"])
    check_quota(checked["quota_bytes"])
    checked["disabled"] = sorted(set(checked["disabled"]))
    if (forwarding := checked["forwarding"]) is not None:
        checked["forwarding"] = forwarding | {"targets": check_targets(address, forwarding["targets"])}
    if (vacation := checked["vacation"]) is not None:
        _check_text(vacation["subject"], vacation["text"])
    return checked


def _check_text(subject: str, text: str) -> None:
    if any(c < " " or c == "\x7f" for c in subject):
        raise InvalidValue("the subject holds a control character")
    if any(c < " " and c not in "\t\r\n" for c in text):
        raise InvalidValue("the text holds a control character")


def _loaded(text: str | None) -> Document | None:
    return None if text is None else json.loads(text)


def _dumped(value: Document | Sequence[object] | None) -> str | None:
    return None if value is None else json.dumps(value)
