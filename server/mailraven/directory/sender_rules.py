"""Senders that an account or a domain always lets in or never. The more specific rule counts: the account's before the
domain's, an address before its domain, a domain before the one above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mailraven.db import Connection
from mailraven.directory.address import normalize_domain, parse_address
from mailraven.directory.errors import AddressError, InvalidValue, NoSuchSenderRule
from mailraven.directory.locks import notify

Action = Literal["allow", "block"]
MAX_RULES = 1000
"""For each account and each domain."""
WHOLE_DOMAIN = 0
"""In the place of an account's id: the rules of its domain."""

_MATCHING = """
SELECT s.account_id, r.account_id AS whose, r.sender, r.action
  FROM unnest($1::bigint[], $2::bigint[]) AS s(domain_id, account_id)
  JOIN sender_rule r
    ON r.domain_id = s.domain_id AND r.account_id IN (0, s.account_id) AND r.sender = ANY ($3::text[])
"""


@dataclass(frozen=True, slots=True)
class SenderRule:
    """`sender` is an address or a domain, as it is stored."""

    sender: str
    action: Action
    created_at: datetime


def sender_of_rule(text: str) -> str:
    """The stored form of what a rule is about. Raises AddressError."""
    if "@" in text.strip("@"):
        return str(parse_address(text).canonical)
    name = normalize_domain(text.removeprefix("@"))
    if name.startswith("["):
        raise AddressError("an address literal alone is not a sender")
    return name


def candidates(sender: str) -> tuple[str, ...]:
    """What rules about an envelope sender can be called, the most specific first; nothing for the null sender."""
    try:
        address = parse_address(sender).canonical
    except AddressError:
        return ()
    names = [str(address), str(address.without_tag)]
    domain = address.domain
    while domain:
        names.append(domain)
        domain = "" if domain.startswith("[") else domain.partition(".")[2]
    return tuple(dict.fromkeys(names))


def decide(names: Iterable[str], own: Mapping[str, str], whole_domain: Mapping[str, str]) -> str | None:
    """`allow`, `block`, or None where no rule is about these names."""
    names = tuple(names)
    for rules in (own, whole_domain):
        for name in names:
            if action := rules.get(name):
                return action
    return None


async def blocking(
    connection: Connection, sender: str, accounts: Iterable[tuple[int, int]]
) -> frozenset[tuple[int, int]]:
    """Those of the (domain, account) ids that take no mail of this sender. One query for all."""
    pairs, names = list(accounts), candidates(sender)
    if not names:
        return frozenset()
    rows = await connection.fetch(
        _MATCHING, [domain for domain, _ in pairs], [account for _, account in pairs], list(names)
    )
    own: dict[int, dict[str, str]] = {}
    whole: dict[int, dict[str, str]] = {}
    for row in rows:
        rules = whole if row["whose"] == WHOLE_DOMAIN else own
        rules.setdefault(row["account_id"], {})[row["sender"]] = row["action"]
    return frozenset(
        (domain, account)
        for domain, account in pairs
        if decide(names, own.get(account, {}), whole.get(account, {})) == "block"
    )


async def put_rule(
    connection: Connection, domain_id: int, account_id: int, sender: str, action: Action
) -> tuple[SenderRule, SenderRule | None]:
    """Set it; returns it now and before. The domain or account is locked or cannot go. Raises AddressError,
    InvalidValue (there are too many).
    """
    stored = sender_of_rule(sender)
    before = await find_rule(connection, domain_id, account_id, stored)
    if before is None:
        count = await connection.fetchval(
            "SELECT count(*) FROM sender_rule WHERE domain_id = $1 AND account_id = $2", domain_id, account_id
        )
        if count >= MAX_RULES:
            raise InvalidValue(f"there are {MAX_RULES} senders at most")
    row = await connection.fetchrow(
        "INSERT INTO sender_rule (domain_id, account_id, sender, action) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (domain_id, account_id, sender) DO UPDATE SET action = excluded.action"
        " RETURNING sender, action, created_at",
        domain_id,
        account_id,
        stored,
        action,
    )
    await notify(connection)
    return SenderRule(**row), before


async def find_rule(connection: Connection, domain_id: int, account_id: int, sender: str) -> SenderRule | None:
    """By the stored form of its sender."""
    row = await connection.fetchrow(
        "SELECT sender, action, created_at FROM sender_rule WHERE domain_id = $1 AND account_id = $2 AND sender = $3",
        domain_id,
        account_id,
        sender,
    )
    return None if row is None else SenderRule(**row)


async def delete_rule(connection: Connection, domain_id: int, account_id: int, sender: str) -> SenderRule:
    """Raises NoSuchSenderRule, AddressError."""
    stored = sender_of_rule(sender)
    row = await connection.fetchrow(
        "DELETE FROM sender_rule WHERE domain_id = $1 AND account_id = $2 AND sender = $3"
        " RETURNING sender, action, created_at",
        domain_id,
        account_id,
        stored,
    )
    if row is None:
        raise NoSuchSenderRule(f"no rule about {stored}")
    await notify(connection)
    return SenderRule(**row)


async def list_rules(
    connection: Connection, domain_id: int, account_id: int, *, after: str = "", limit: int = 100
) -> list[SenderRule]:
    """By sender; `after` is the last one of the page before."""
    rows = await connection.fetch(
        "SELECT sender, action, created_at FROM sender_rule"
        " WHERE domain_id = $1 AND account_id = $2 AND sender > $3 ORDER BY sender LIMIT $4",
        domain_id,
        account_id,
        after,
        limit,
    )
    return [SenderRule(**row) for row in rows]
