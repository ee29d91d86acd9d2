"""Where mail for an address goes: one query for each level of aliases, decided by pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg
import structlog

from mailraven.db import Connection
from mailraven.directory.address import Address, parse_address
from mailraven.directory.domain_specs import CATCH_ALL
from mailraven.directory.errors import AddressError, AliasTooLarge
from mailraven.directory.model import (
    Blocked,
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

POSTMASTER = "postmaster"

_log = structlog.get_logger(component="directory")

# For each asked address every row that could answer it; no row: the domain is not ours.
_ROWS = """
SELECT a.nth, d.id AS domain_id, d.name AS domain, d.suspended AS domain_suspended, f.*
  FROM asked a
  JOIN LATERAL (
        SELECT id, name, suspended FROM domain WHERE name = a.domain
        UNION ALL
        SELECT t.id, t.name, t.suspended FROM domain_alias o JOIN domain t ON t.id = o.domain_id WHERE o.name = a.domain
       ) d ON true
  LEFT JOIN LATERAL (
        SELECT 'account' AS kind, c.localpart, NULL AS target, c.id, c.suspended, c.quota_bytes,
               CASE WHEN c.quota_bytes IS NOT NULL THEN
                    (SELECT coalesce(sum(m.bytes), 0)::bigint FROM mailbox m WHERE m.account_id = c.id)
               ELSE 0 END AS used_bytes,
               'receive' = ANY (c.disabled) AS refuses, c.forwarding,
               EXISTS (SELECT FROM sender_rule r WHERE r.domain_id = d.id AND r.account_id IN (0, c.id)) AS screened
          FROM account c
         WHERE c.domain_id = d.id AND c.localpart IN (a.localpart, a.base)
        UNION ALL
        SELECT 'alias', l.localpart, l.target, NULL, NULL, NULL, NULL, NULL, NULL, NULL
          FROM alias l
         WHERE l.domain_id = d.id AND l.localpart IN (a.localpart, a.base, '*')
        UNION ALL
        (SELECT 'oldest', c.localpart, NULL, c.id, c.suspended, c.quota_bytes,
                CASE WHEN c.quota_bytes IS NOT NULL THEN
                     (SELECT coalesce(sum(m.bytes), 0)::bigint FROM mailbox m WHERE m.account_id = c.id)
                ELSE 0 END, false, c.forwarding, false
           FROM account c
          WHERE a.localpart = 'postmaster' AND c.domain_id = d.id AND NOT c.suspended
            AND NOT 'receive' = ANY (c.disabled)
          ORDER BY c.id LIMIT 1)
       ) f ON true
"""
_MANY = "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS q(localpart, base, domain, nth)"
_LOOK_UP = f"WITH asked AS (SELECT * FROM {_MANY}) {_ROWS}"  # noqa: S608 - names written in the program
# The same for one: Postgres keeps the plan, and to plan it takes five times as long as to run it.
_LOOK_UP_ONE = f"WITH asked AS (SELECT $1::text AS localpart, $2::text AS base, $3::text AS domain, 1 AS nth) {_ROWS}"


@dataclass(frozen=True, slots=True)
class _Owner:
    """An account as it was found: what becomes of mail for it."""

    mailbox: LocalAccount
    domain_id: int
    suspended: bool
    refuses: bool  # mail only: it may send
    forwarding: tuple[str, ...]
    keep_copy: bool
    screened: bool


@dataclass(slots=True)
class _Found:
    """The rows of one address."""

    local: bool = False
    domain_suspended: bool = False
    accounts: dict[str, _Owner] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    oldest: _Owner | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What an address is by itself: an account, an alias still to follow, or an end."""

    owner: _Owner | None = None
    suspended: bool = False
    targets: tuple[str, ...] = ()
    local: bool = True
    route: Route = Route.ACCOUNT


@dataclass(slots=True)
class _Collected:
    """What the way so far has led to."""

    blocked: frozenset[int]
    accounts: dict[int, LocalAccount] = field(default_factory=dict)
    remote: dict[str, None] = field(default_factory=dict)
    forwarded: dict[int, LocalAccount] = field(default_factory=dict)  # without a copy here
    owners: dict[int, None] = field(default_factory=dict)
    screened: dict[tuple[int, int], None] = field(default_factory=dict)
    suspended: bool = False
    refused: bool = False

    def add(self, step: _Step, address: Address, *, owned: bool) -> list[tuple[str, bool]]:
        """The targets still to follow. `owned`: only aliases led here, the address is the account's own."""
        if step.owner is not None:
            return self._add_owner(step.owner, owned)
        if not step.local:
            self.remote.setdefault(str(address))
        self.suspended |= step.suspended
        return [(target, owned) for target in step.targets]

    def _add_owner(self, owner: _Owner, owned: bool) -> list[tuple[str, bool]]:
        mailbox = owner.mailbox
        if owner.suspended:
            self.suspended = True
            return []
        if owned:
            self.owners.setdefault(mailbox.account_id)
        if owner.refuses:
            self.suspended = True
            return []
        if owner.screened:
            self.screened.setdefault((owner.domain_id, mailbox.account_id))
        if mailbox.account_id in self.blocked:
            self.refused = True
            return []
        if owner.keep_copy:
            self.accounts.setdefault(mailbox.account_id, mailbox)
        else:
            self.forwarded.setdefault(mailbox.account_id, mailbox)
        return [(target, False) for target in owner.forwarding]


async def resolve(connection: Connection, address: Address, blocked: frozenset[int] = frozenset()) -> Resolution:
    """Follow aliases and forwardings breadth first, each address once, to mailboxes and foreign addresses.

    `blocked` are accounts that get nothing, as if they were not there.
    """
    found = (await _look_up(connection, [address]))[0]
    first = decide(address, found)
    if not first.local:
        return NotLocalDomain()
    collected = _Collected(blocked)
    seen = {address}
    level = _unseen(collected.add(first, address, owned=True), seen)
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH or len(seen) > MAX_TARGETS:
            _log.error("alias expands too far", alias=str(address), depth=depth, targets=len(seen))
            raise AliasTooLarge(f"{address} expands to more than {MAX_DEPTH} levels or {MAX_TARGETS} targets")
        following: list[tuple[str, bool]] = []
        for (target, owned), rows in zip(level, await _look_up(connection, [to for to, _ in level]), strict=True):
            following += collected.add(decide(target, rows), target, owned=owned)
        level = _unseen(following, seen)
    return _conclude(collected, found, first.route)


def _conclude(collected: _Collected, found: _Found, route: Route) -> Resolution:
    # Forwarding that leads nowhere must not lose mail: then it stays in the mailbox.
    accounts = collected.accounts if collected.accounts or collected.remote else collected.forwarded
    owners = tuple(collected.owners)
    if accounts or collected.remote:
        return Targets(tuple(accounts.values()), tuple(collected.remote), route, owners, tuple(collected.screened))
    if found.oldest is not None and not found.domain_suspended:
        return Targets((found.oldest.mailbox,), (), Route.POSTMASTER, (found.oldest.mailbox.account_id,))
    if collected.refused:
        return Blocked()
    return Suspended(owners) if collected.suspended else UnknownRecipient()


def decide(address: Address, found: _Found) -> _Step:
    """The account of this name, else its alias, else the same without the tag, else the catch-all."""
    if not found.local:
        return _Step(local=False)
    if found.domain_suspended:
        return _Step(suspended=True)
    for name in (address.key, address.without_tag.key):
        if owner := found.accounts.get(name):
            return _Step(owner)
        if targets := found.aliases.get(name):
            return _Step(targets=tuple(targets), route=Route.ALIAS)
    if found.oldest is not None:  # RFC 5321 §4.5.1: asked for postmaster, and nobody is called so
        return _Step(found.oldest, route=Route.POSTMASTER)
    return _Step(targets=tuple(found.aliases.get(CATCH_ALL, ())), route=Route.CATCH_ALL)


def _unseen(targets: Iterable[tuple[str, bool]], seen: set[Address]) -> list[tuple[Address, bool]]:
    new: list[tuple[Address, bool]] = []
    for text, owned in sorted(targets, key=lambda target: (not target[1], target[0])):
        try:
            target = parse_address(text)
        except AddressError:
            _log.error("alias target is not an address", target=text)
            continue
        if target not in seen:
            seen.add(target)
            new.append((target, owned))
    return new


async def _look_up(connection: Connection, addresses: list[Address]) -> list[_Found]:
    names = [(address.key, address.without_tag.key, address.domain) for address in addresses]
    if len(names) == 1:
        rows = await connection.fetch(_LOOK_UP_ONE, *names[0])
    else:
        rows = await connection.fetch(_LOOK_UP, *(list(column) for column in zip(*names, strict=True)))
    found = [_Found() for _ in addresses]
    for row in rows:
        _add(found[row["nth"] - 1], row)
    return found


def _add(found: _Found, row: asyncpg.Record) -> None:
    found.local = True
    found.domain_suspended = row["domain_suspended"]
    kind, localpart = row["kind"], row["localpart"]
    if kind == "alias":
        found.aliases.setdefault(localpart, []).append(row["target"])
    elif kind is not None:
        owner = _owner(row)
        if kind == "account":
            found.accounts[localpart] = owner
        else:
            found.oldest = owner


def _owner(row: asyncpg.Record) -> _Owner:
    address = str(Address(row["localpart"], row["domain"]))
    mailbox = LocalAccount(row["id"], address, row["quota_bytes"], row["used_bytes"])
    forwarding, keep_copy = (), True
    if row["forwarding"] is not None:
        document = json.loads(row["forwarding"])
        forwarding, keep_copy = tuple(document["targets"]), document["keep_copy"]
    return _Owner(mailbox, row["domain_id"], row["suspended"], row["refuses"], forwarding, keep_copy, row["screened"])
