"""RateLimitPolicies: the rows of limit_policy, and which of them match a client, an account, a domain or a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailraven.db import Connection
from mailraven.limits.clients import Network, NetworkMap, network_set, parse_network
from mailraven_api.limits import Event, Limit, Scope
from mailraven_api.policy import RateLimitPolicy, RateLimitPolicySpec

CHANNEL = "mailraven_limits"

COUNTED: Mapping[Scope, frozenset[Event]] = {
    Scope.IP: frozenset({Event.SMTP_CONNECTIONS, Event.SMTP_MESSAGES, Event.AUTH_FAILURES, Event.API_REQUESTS}),
    Scope.ACCOUNT: frozenset({Event.MESSAGES, Event.RECIPIENTS, Event.AUTH_FAILURES}),
    Scope.DOMAIN: frozenset({Event.MESSAGES, Event.RECIPIENTS}),
    Scope.TOKEN: frozenset({Event.API_REQUESTS}),
}
"""What is counted for whom."""


class PolicyError(ValueError):
    """A policy that says nothing we could do; the text is for people."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose events: only what is known is set. Names are in canonical form."""

    ip: str = ""
    account: str = ""
    account_labels: Mapping[str, str] = field(default_factory=dict)
    domain: str = ""
    domain_labels: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that is quick to ask."""

    name: str
    spec: RateLimitPolicySpec
    domains: frozenset[str]
    accounts: frozenset[str]
    tokens: frozenset[str]
    networks: NetworkMap[Network]
    exempt_networks: NetworkMap[Network]
    exempt_accounts: frozenset[str]
    exempt_senders: frozenset[str]

    def matches(self, scope: Scope, subject: Subject) -> bool:
        """Whether its limits hold for the subject, as far as it is counted by `scope`."""
        if subject.ip and subject.ip in self.exempt_networks:
            return False
        if subject.account and subject.account in self.exempt_accounts:
            return False
        if is_sender_of(subject.sender, self.exempt_senders):
            return False
        match scope:
            case Scope.IP:
                return not self.networks.count or subject.ip in self.networks
            case Scope.TOKEN:
                return not self.tokens or subject.token in self.tokens
            case Scope.ACCOUNT:
                return (not self.accounts or subject.account in self.accounts) and self._fits(
                    subject.domain, subject.account_labels
                )
            case Scope.DOMAIN:
                return self._fits(subject.domain, subject.domain_labels)

    def _fits(self, domain: str, labels: Mapping[str, str]) -> bool:
        if self.domains and domain not in self.domains:
            return False
        return all(labels.get(name) == value for name, value in self.spec.selector.match_labels.items())


def compile_policy(name: str, spec: RateLimitPolicySpec) -> Policy:
    """Names are compared in canonical form: domains as A-labels, everything in lower case."""
    chosen, exempt = spec.selector, spec.exempt
    return Policy(
        name=name,
        spec=spec,
        domains=frozenset(canonical_name(domain) for domain in chosen.domains),
        accounts=frozenset(canonical_name(account) for account in chosen.accounts),
        tokens=frozenset(chosen.tokens),
        networks=network_set(chosen.networks),
        exempt_networks=network_set(exempt.networks),
        exempt_accounts=frozenset(canonical_name(account) for account in exempt.accounts),
        exempt_senders=frozenset(canonical_name(sender) for sender in exempt.senders),
    )


def check(spec: RateLimitPolicySpec) -> None:
    """Raises PolicyError."""
    if spec.event not in COUNTED[spec.scope]:
        possible = ", ".join(sorted(COUNTED[spec.scope]))
        raise PolicyError(f"event {spec.event.value} is not counted for scope {spec.scope.value}: one of {possible}")
    if len({limit.window_minutes for limit in spec.limits}) != len(spec.limits):
        raise PolicyError("two limits have the same window")
    for text in (*spec.selector.networks, *spec.exempt.networks):
        try:
            parse_network(text)
        except ValueError:
            raise PolicyError(f"{text!r} is not a network such as 192.0.2.0/24 or 2001:db8::/32") from None


def canonical_name(text: str) -> str:
    """An address or a domain as it is compared; what is neither stays as it is."""
    from mailraven.directory.address import normalize_domain, parse_address
    from mailraven.directory.errors import AddressError

    try:
        return str(parse_address(text).canonical) if "@" in text.strip("@") else normalize_domain(text.strip("@"))
    except AddressError:
        return text.lower()


def is_sender_of(sender: str, names: frozenset[str]) -> bool:
    """An envelope sender that is listed, or whose domain is."""
    return bool(sender and names) and (sender in names or sender.rpartition("@")[2] in names)


def strongest(policies: Iterable[Policy], scope: Scope, event: Event, subject: Subject) -> list[Policy]:
    """Of those that match, all of the highest priority."""
    matching = [
        one for one in policies if one.spec.scope is scope and one.spec.event is event and one.matches(scope, subject)
    ]
    highest = max((one.spec.priority for one in matching), default=0)
    return [one for one in matching if one.spec.priority == highest]


def _of(row: Any) -> RateLimitPolicy:
    return RateLimitPolicy(
        name=row["name"],
        spec=RateLimitPolicySpec.model_validate_json(row["spec"]),
        version=row["version"],
        updated_at=row["updated_at"],
    )


async def list_policies(connection: Connection, after: str = "", limit: int = 10_000) -> list[RateLimitPolicy]:
    """By name."""
    rows = await connection.fetch(
        'SELECT * FROM limit_policy WHERE name COLLATE "C" > $1 ORDER BY name COLLATE "C" LIMIT $2', after, limit
    )
    return [_of(row) for row in rows]


async def get_policy(connection: Connection, name: str, *, lock: bool = False) -> RateLimitPolicy | None:
    """None: there is none of this name."""
    sql = "SELECT * FROM limit_policy WHERE name = $1"
    row = await connection.fetchrow(f"{sql} FOR UPDATE" if lock else sql, name)
    return None if row is None else _of(row)


async def put_policy(connection: Connection, name: str, spec: RateLimitPolicySpec) -> RateLimitPolicy:
    """Make or replace it; the version rises only when something changed. Raises PolicyError."""
    check(spec)
    document = spec.model_dump_json(exclude_defaults=True)
    row = await connection.fetchrow(
        "INSERT INTO limit_policy AS p (name, spec) VALUES ($1, $2::jsonb)"
        " ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, version = p.version + 1, updated_at = now()"
        " WHERE p.spec <> excluded.spec RETURNING *",
        name,
        document,
    )
    if row is None:
        row = await connection.fetchrow("SELECT * FROM limit_policy WHERE name = $1", name)
    await connection.execute("SELECT pg_notify($1, 'policies')", CHANNEL)
    return _of(row)


async def delete_policy(connection: Connection, name: str) -> bool:
    """False: there was none."""
    status = await connection.execute("DELETE FROM limit_policy WHERE name = $1", name)
    await connection.execute("SELECT pg_notify($1, 'policies')", CHANNEL)
    return bool(status == "DELETE 1")


def limits_of(policies: Iterable[Policy]) -> list[tuple[Policy, Limit]]:
    """All limits of these policies."""
    return [(policy, limit) for policy in policies for limit in policy.spec.limits]
