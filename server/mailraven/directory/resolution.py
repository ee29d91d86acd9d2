"""Where mail for an address goes: one query for each level of aliases, decided by pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg
import structlog

from mailraven.db import Connection
from mailraven.directory.address import Address, parse_address
from mailraven.directory.errors import AddressError, AliasTooLarge
from mailraven.directory.model import (
    LocalAccount,
    NotLocalDomain,
    Resolution,
    Route,
    Suspended,
    Targets,
    UnknownRecipient,
)

MAX_DEPTH = 10  # levels of aliases
MAX_TARGETS = 10_000  # addresses one recipient may expand to

CATCH_ALL = "*"
POSTMASTER = "postmaster"

_log = structlog.get_logger(component="directory")

# For each asked address every row that could answer it; no row: the domain is not ours.
_LOOK_UP = """
SELECT a.nth, d.suspended AS domain_suspended, f.*
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS a(localpart, base, domain, nth)
  JOIN domain d ON d.name = a.domain
  LEFT JOIN LATERAL (
        SELECT 'account' AS kind, c.localpart, NULL AS target, c.id, c.suspended, c.quota_bytes,
               CASE WHEN c.quota_bytes IS NOT NULL THEN
                    (SELECT coalesce(sum(m.bytes), 0)::bigint FROM mailbox m WHERE m.account_id = c.id)
               ELSE 0 END AS used_bytes
          FROM account c
         WHERE c.domain_id = d.id AND c.localpart IN (a.localpart, a.base)
        UNION ALL
        SELECT 'alias', l.localpart, l.target, NULL, NULL, NULL, NULL
          FROM alias l
         WHERE l.domain_id = d.id AND l.localpart IN (a.localpart, a.base, '*')
        UNION ALL
        (SELECT 'oldest', c.localpart, NULL, c.id, c.suspended, c.quota_bytes,
                CASE WHEN c.quota_bytes IS NOT NULL THEN
                     (SELECT coalesce(sum(m.bytes), 0)::bigint FROM mailbox m WHERE m.account_id = c.id)
                ELSE 0 END
           FROM account c
          WHERE a.localpart = 'postmaster' AND c.domain_id = d.id AND NOT c.suspended
          ORDER BY c.id LIMIT 1)
       ) f ON true
"""


@dataclass(slots=True)
class _Found:
    """The rows of one address."""

    local: bool = False
    domain_suspended: bool = False
    accounts: dict[str, tuple[LocalAccount, bool]] = field(default_factory=dict)  # bool: suspended
    aliases: dict[str, list[str]] = field(default_factory=dict)
    oldest: LocalAccount | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What an address is by itself: an account, an alias still to follow, or an end."""

    account: LocalAccount | None = None
    suspended: bool = False
    targets: tuple[str, ...] = ()
    local: bool = True
    route: Route = Route.ACCOUNT


async def resolve(connection: Connection, address: Address) -> Resolution:
    """Follow aliases breadth first, each address once, to mailboxes and foreign addresses."""
    found = (await _look_up(connection, [address]))[0]
    first = decide(address, found)
    if not first.local:
        return NotLocalDomain()
    accounts: dict[int, LocalAccount] = {}
    remote: dict[str, None] = {}
    suspended = _collect(first, address, accounts, remote)
    seen = {address}
    level = _unseen(first.targets, seen)
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH or len(seen) > MAX_TARGETS:
            _log.error("alias expands too far", alias=str(address), depth=depth, targets=len(seen))
            raise AliasTooLarge(f"{address} expands to more than {MAX_DEPTH} levels or {MAX_TARGETS} targets")
        following: list[str] = []
        for target, rows in zip(level, await _look_up(connection, level), strict=True):
            step = decide(target, rows)
            suspended |= _collect(step, target, accounts, remote)
            following.extend(step.targets)
        level = _unseen(following, seen)
    if accounts or remote:
        return Targets(tuple(accounts.values()), tuple(remote), first.route)
    if found.oldest is not None and not found.domain_suspended:
        return Targets((found.oldest,), (), Route.POSTMASTER)
    return Suspended() if suspended else UnknownRecipient()


def decide(address: Address, found: _Found) -> _Step:
    """The account of this name, else its alias, else the same without the tag, else the catch-all."""
    if not found.local:
        return _Step(local=False)
    if found.domain_suspended:
        return _Step(suspended=True)
    for name in (address.key, address.without_tag.key):
        if entry := found.accounts.get(name):
            account, suspended = entry
            return _Step(account=None if suspended else account, suspended=suspended)
        if targets := found.aliases.get(name):
            return _Step(targets=tuple(targets), route=Route.ALIAS)
    if found.oldest is not None:  # RFC 5321 §4.5.1: asked for postmaster, and nobody is called so
        return _Step(account=found.oldest, route=Route.POSTMASTER)
    return _Step(targets=tuple(found.aliases.get(CATCH_ALL, ())), route=Route.CATCH_ALL)


def _collect(step: _Step, address: Address, accounts: dict[int, LocalAccount], remote: dict[str, None]) -> bool:
    if step.account is not None:
        accounts.setdefault(step.account.account_id, step.account)
    elif not step.local:
        remote.setdefault(str(address))
    return step.suspended


def _unseen(targets: Iterable[str], seen: set[Address]) -> list[Address]:
    new: list[Address] = []
    for text in sorted(targets):
        try:
            target = parse_address(text)
        except AddressError:
            _log.error("alias target is not an address", target=text)
            continue
        if target not in seen:
            seen.add(target)
            new.append(target)
    return new


async def _look_up(connection: Connection, addresses: list[Address]) -> list[_Found]:
    rows = await connection.fetch(
        _LOOK_UP,
        [address.key for address in addresses],
        [address.without_tag.key for address in addresses],
        [address.domain for address in addresses],
    )
    found = [_Found() for _ in addresses]
    for row in rows:
        _add(found[row["nth"] - 1], row, addresses[row["nth"] - 1].domain)
    return found


def _add(found: _Found, row: asyncpg.Record, domain: str) -> None:
    found.local = True
    found.domain_suspended = row["domain_suspended"]
    kind, localpart = row["kind"], row["localpart"]
    if kind == "alias":
        found.aliases.setdefault(localpart, []).append(row["target"])
    elif kind is not None:
        account = LocalAccount(row["id"], str(Address(localpart, domain)), row["quota_bytes"], row["used_bytes"])
        if kind == "account":
            found.accounts[localpart] = (account, row["suspended"])
        else:
            found.oldest = account
