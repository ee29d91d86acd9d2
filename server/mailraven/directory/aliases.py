"""Changes of aliases, inside the caller's transaction. The catch-all is part of its domain's spec (domains.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailraven.db import Connection
from mailraven.directory import domains
from mailraven.directory.address import Address, make_address, normalize_domain, parse_address
from mailraven.directory.domain_specs import CATCH_ALL
from mailraven.directory.errors import AccountExists, AliasExists, InvalidValue, NoSuchAlias
from mailraven.directory.locks import lock_domain, notify
from mailraven.directory.model import Alias

ALIAS_TARGETS = 1000


@dataclass(frozen=True)
class Written:
    """An alias after a change; `before` is None where it is new."""

    alias: Alias
    before: Alias | None = None


def alias_address(localpart: str, domain: str) -> Address:
    """From a localpart without quotes. Raises AddressError."""
    return make_address(localpart, normalize_domain(domain)).canonical


async def create_alias(connection: Connection, address: str, targets: Sequence[str]) -> Alias:
    """Localpart `*` is the catch-all. Raises AliasExists, AccountExists, NoSuchDomain, InvalidValue."""
    parsed = parse_address(address).canonical
    goals = _check_targets(parsed, targets)
    domain_id = await lock_domain(connection, parsed.domain)
    if await _targets_of(connection, domain_id, parsed):
        raise AliasExists(f"alias {parsed} exists")
    return await _write(connection, domain_id, parsed, goals)


async def put_alias(connection: Connection, address: Address, targets: Sequence[str]) -> Written:
    """Make it, or replace its targets. Raises AccountExists, NoSuchDomain, InvalidValue."""
    goals = _check_targets(address, targets)
    domain_id = await lock_domain(connection, address.domain)
    known = await _targets_of(connection, domain_id, address)
    before = Alias(str(address), tuple(known)) if known else None
    if sorted(known) == sorted(goals):
        return Written(Alias(str(address), tuple(goals)), before)
    return Written(await _write(connection, domain_id, address, goals), before)


async def delete_alias(connection: Connection, address: str | Address) -> Alias:
    """With all its targets. Raises NoSuchAlias."""
    parsed = address if isinstance(address, Address) else parse_address(address).canonical
    rows = await connection.fetch(
        "DELETE FROM alias a USING domain d WHERE d.id = a.domain_id AND d.name = $1 AND a.localpart = $2"
        " RETURNING a.target",
        parsed.domain,
        parsed.localpart,
    )
    if not rows:
        raise NoSuchAlias(f"no alias {parsed}")
    if parsed.localpart == CATCH_ALL:
        await domains.set_catch_all(connection, parsed.domain, None)
    await notify(connection)
    return Alias(str(parsed), tuple(sorted(row["target"] for row in rows)))


async def alias_exists(connection: Connection, domain_id: int, address: Address) -> bool:
    """Whether an alias has this localpart."""
    return bool(await _targets_of(connection, domain_id, address))


async def _write(connection: Connection, domain_id: int, address: Address, targets: list[str]) -> Alias:
    if address.localpart == CATCH_ALL:
        await domains.set_catch_all(connection, address.domain, targets[0])
        return Alias(str(address), tuple(targets))
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM account WHERE domain_id = $1 AND localpart = $2)", domain_id, address.localpart
    ):
        raise AccountExists(f"{address} is an account")
    await connection.execute(
        "DELETE FROM alias WHERE domain_id = $1 AND localpart = $2 AND target <> ALL ($3::text[])",
        domain_id,
        address.localpart,
        targets,
    )
    await connection.execute(
        "INSERT INTO alias (domain_id, localpart, target) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING",
        domain_id,
        address.localpart,
        targets,
    )
    await notify(connection)
    return Alias(str(address), tuple(targets))


async def _targets_of(connection: Connection, domain_id: int, address: Address) -> list[str]:
    rows = await connection.fetch(
        "SELECT target FROM alias WHERE domain_id = $1 AND localpart = $2 ORDER BY target",
        domain_id,
        address.localpart,
    )
    return [row["target"] for row in rows]


def _check_targets(alias: Address, targets: Sequence[str]) -> list[str]:
    if not 1 <= len(targets) <= ALIAS_TARGETS:
        raise InvalidValue(f"an alias has 1 to {ALIAS_TARGETS} targets")
    parsed = dict.fromkeys(parse_address(target) for target in targets)
    if any(target.canonical == alias for target in parsed):
        raise InvalidValue(f"alias {alias} points at itself")
    if alias.localpart == CATCH_ALL and len(parsed) > 1:
        raise InvalidValue("the catch-all has one target: let it be an alias with several")
    return [str(target) for target in parsed]
