"""Which limits hold for whom: policies, then the account, its domain, the template `_default`, our own defaults.

From memory; dropped by the notifications of the directory, of the settings and of limits, and read again every minute.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from mailraven.db import Database, DatabaseUnavailable
from mailraven.directory.address import Address, parse_address
from mailraven.directory.cache import Cache
from mailraven.directory.errors import AddressError
from mailraven.limits import policies
from mailraven.limits.policies import Policy, Subject
from mailraven_api.domain import DomainSpec, unflatten
from mailraven_api.limits import DEFAULT_LIMITS, AccountLimits, DomainLimits, Event, Limit, Scope, merge
from mailraven_api.policy import RateLimitPolicySpec

RESYNC_SECONDS = 60.0
_ENTRIES = 10_000
_DIRECTORY_CHANNEL = "mailraven_directory"

K = TypeVar("K", bound=Hashable)
_log = structlog.get_logger(component="limits")

_FACTS = """
SELECT a.id, a.localpart, a.limits, a.labels, d.id AS domain_id, d.name, d.template, d.spec,
       d.labels AS domain_labels
"""
_BY_ID = _FACTS + " FROM account a JOIN domain d ON d.id = a.domain_id WHERE a.id = $1"
_OF_DOMAIN = """
 WHERE d.name = $2 OR d.id = (SELECT domain_id FROM domain_alias WHERE name = $2) ORDER BY d.name = $2 DESC LIMIT 1
"""
_BY_ADDRESS = _FACTS + " FROM domain d LEFT JOIN account a ON a.domain_id = d.id AND a.localpart = $1" + _OF_DOMAIN
_BY_DOMAIN = _FACTS + " FROM domain d LEFT JOIN account a ON false WHERE d.name = $1"

# Where a limit stands in the documents.
_DOMAIN_FIELDS: Mapping[tuple[Scope, Event], str] = {
    (Scope.IP, Event.SMTP_CONNECTIONS): "smtp_connections_per_ip",
    (Scope.IP, Event.SMTP_MESSAGES): "smtp_messages_per_ip",
    (Scope.IP, Event.AUTH_FAILURES): "auth_failures_per_ip",
    (Scope.IP, Event.API_REQUESTS): "api_requests_per_ip",
    (Scope.TOKEN, Event.API_REQUESTS): "api_requests_per_token",
    (Scope.ACCOUNT, Event.MESSAGES): "messages_per_account",
    (Scope.ACCOUNT, Event.RECIPIENTS): "recipients_per_account",
    (Scope.ACCOUNT, Event.AUTH_FAILURES): "auth_failures_per_account",
    (Scope.DOMAIN, Event.MESSAGES): "messages_per_domain",
    (Scope.DOMAIN, Event.RECIPIENTS): "recipients_per_domain",
}
_ACCOUNT_FIELDS: Mapping[Event, str] = {
    Event.MESSAGES: "messages",
    Event.RECIPIENTS: "recipients",
    Event.AUTH_FAILURES: "auth_failures",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit, and where it comes from: "policy NAME", "account", "domain", "template", "default"."""

    limit: Limit
    source: str
    action: str = "reject"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the limits of an account and its domain are decided from. Without an account: of the domain alone."""

    account_id: int | None = None
    address: str = ""
    domain: str = ""
    limits: AccountLimits = field(default_factory=AccountLimits)
    labels: Mapping[str, str] = field(default_factory=dict)
    domain_limits: DomainLimits = field(default_factory=DomainLimits)
    domain_labels: Mapping[str, str] = field(default_factory=dict)


NOBODY = Facts()


class Rules:
    """One for a process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._template = DomainLimits()
        self._policies: tuple[Policy, ...] = ()
        self._plain: dict[tuple[Scope, Event], tuple[Rule, ...]] = {}
        self._fresh_until = 0.0
        self._generation = 0
        self._loading: asyncio.Task[None] | None = None
        self._accounts = _cache(self._by_id, clock)
        self._addresses = _cache(self._by_address, clock)
        for channel in (_DIRECTORY_CHANNEL, policies.CHANNEL):
            database.listener.subscribe(channel, self._notified)

    async def load(self) -> None:
        """Read template and policies if what is known is too old. Where Postgres is away it holds on."""
        if self._clock() < self._fresh_until:
            return
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load(), name="limits-rules")
        await asyncio.shield(self._loading)

    async def close(self) -> None:
        """End look-ups."""
        for channel in (_DIRECTORY_CHANNEL, policies.CHANNEL):
            self._database.listener.unsubscribe(channel, self._notified)
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._accounts.close()
        await self._addresses.close()

    def forget(self) -> None:
        """Something changed."""
        self._fresh_until = 0.0
        self._generation += 1
        self._accounts.clear()
        self._addresses.clear()

    async def account(self, account_id: int) -> Facts:
        """NOBODY: there is none. Raises DatabaseUnavailable."""
        return await self._accounts.get(account_id)

    async def login(self, login: str) -> Facts:
        """Of the account that a login names, or would name; the same work whether it is there or not."""
        try:
            address = parse_address(login).canonical
        except AddressError:
            return NOBODY
        return await self._addresses.get(address)

    async def domain(self, name: str) -> Facts:
        """Of a domain alone; NOBODY: there is none."""
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_BY_DOMAIN, name)
        return NOBODY if row is None else _facts(row)

    def of(self, scope: Scope, event: Event, subject: Subject, facts: Facts = NOBODY) -> tuple[Rule, ...]:
        """What holds now. Several windows may hold at once."""
        matching = policies.strongest(self._policies, scope, event, subject) if self._policies else ()
        if matching:
            return _by_window(
                Rule(limit, f"policy {policy.name}", policy.spec.action)
                for policy, limit in policies.limits_of(matching)
            )
        if facts is not NOBODY:
            of_account = getattr(facts.limits, _ACCOUNT_FIELDS[event], None) if scope is Scope.ACCOUNT else None
            if of_account is not None:
                return tuple(Rule(limit, "account") for limit in of_account)
            of_domain = getattr(facts.domain_limits, _DOMAIN_FIELDS[scope, event])
            if of_domain is not None and scope in (Scope.ACCOUNT, Scope.DOMAIN):
                return tuple(Rule(limit, "domain") for limit in of_domain)
        return self._default(scope, event)

    def _default(self, scope: Scope, event: Event) -> tuple[Rule, ...]:
        rules = self._plain.get((scope, event))
        if rules is None:
            name = _DOMAIN_FIELDS[scope, event]
            of_template = getattr(self._template, name)
            if of_template is not None:
                rules = tuple(Rule(limit, "template") for limit in of_template)
            else:
                rules = tuple(Rule(limit, "default") for limit in getattr(DEFAULT_LIMITS, name) or ())
            self._plain[scope, event] = rules
        return rules

    def _notified(self, payload: str | None) -> None:
        if payload is None or set(payload.split(",")) != {"bans"}:
            self.forget()

    async def _load(self) -> None:
        generation = -1
        while generation != self._generation:  # changed while it was read
            generation = self._generation
            try:
                async with self._database.acquire(timeout=2.0) as connection:
                    template = await connection.fetchval("SELECT spec FROM domain_template WHERE name = '_default'")
                    rows = await connection.fetch("SELECT name, spec FROM limit_policy ORDER BY name")
            except DatabaseUnavailable as error:
                _log.warning("limits not read", error=type(error).__name__)
                self._fresh_until = self._clock() + 1.0
                return
            self._template = _domain_limits("_default", template)
            self._policies = tuple(policy for row in rows if (policy := _compiled(row["name"], row["spec"])))
            self._plain = {}
        self._fresh_until = self._clock() + RESYNC_SECONDS

    async def _by_id(self, account_id: int) -> Facts:
        async with self._database.acquire(timeout=2.0) as connection:
            row = await connection.fetchrow(_BY_ID, account_id)
        return NOBODY if row is None else _facts(row)

    async def _by_address(self, address: Address) -> Facts:
        async with self._database.acquire(timeout=2.0) as connection:
            row = await connection.fetchrow(_BY_ADDRESS, address.key, address.domain)
        return Facts(address=str(address)) if row is None else _facts(row, str(address))


def _cache(load: Callable[[K], Awaitable[Facts]], clock: Callable[[], float]) -> Cache[K, Facts]:
    return Cache(
        load,
        lifetime=lambda _: RESYNC_SECONDS,
        is_miss=lambda facts: facts.account_id is None,
        entries=_ENTRIES,
        clock=clock,
    )


def _by_window(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Of two limits of the same window and kind the smaller one holds."""
    smallest: dict[tuple[int, bool], Rule] = {}
    for rule in rules:
        key = (rule.limit.window_seconds, rule.action == "log")
        if key not in smallest or rule.limit.count < smallest[key].limit.count:
            smallest[key] = rule
    return tuple(smallest.values())


def _facts(row: Mapping[str, Any], address: str = "") -> Facts:
    account_id = row["id"]
    own = AccountLimits()
    if account_id is not None:
        address = str(Address(str(row["localpart"]), str(row["name"])))
        try:
            own = AccountLimits.model_validate_json(str(row["limits"]))
        except ValidationError as error:
            _log.error("stored limits are not valid", account=account_id, problems=error.error_count())
    return Facts(
        account_id=account_id,
        address=address,
        domain=str(row["name"]),
        limits=own,
        labels=json.loads(str(row["labels"])) if row["labels"] else {},
        domain_limits=_domain_limits(str(row["name"]), str(row["template"]), str(row["spec"])),
        domain_labels=json.loads(str(row["domain_labels"])) if row["domain_labels"] else {},
    )


def _domain_limits(name: str, *documents: str | None) -> DomainLimits:
    """What template and spec of a domain say together."""
    merged = merge(*(unflatten(json.loads(document)) for document in documents if document))  # type: ignore[arg-type]
    try:
        return DomainSpec.model_validate({"limits": merged.get("limits", {})}).limits
    except ValidationError as error:
        _log.error("stored limits are not valid", domain=name, problems=error.error_count())
        return DomainLimits()


def _compiled(name: str, document: str) -> Policy | None:
    try:
        return policies.compile_policy(name, RateLimitPolicySpec.model_validate_json(document))
    except ValidationError as error:
        _log.error("a stored policy is not valid", policy=name, problems=error.error_count())
        return None
