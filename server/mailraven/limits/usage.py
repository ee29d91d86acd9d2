"""Which limits hold for somebody, and what is used of them: for people, from the table."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

from mailraven.db import Connection
from mailraven.limits import counter_sql
from mailraven.limits.clients import client_key
from mailraven.limits.policies import COUNTED, Subject
from mailraven.limits.rules import NOBODY, Facts, Rule, Rules
from mailraven_api.limits import Event, Scope
from mailraven_api.usage import EffectiveLimit, LimitUsage


def subject_of(facts: Facts) -> Subject:
    """An account or a domain as policies see it."""
    return Subject(
        account=facts.address,
        account_labels=facts.labels,
        domain=facts.domain,
        domain_labels=facts.domain_labels,
    )


def effective(rules: Rules, scope: Scope, subject: Subject, facts: Facts = NOBODY) -> list[EffectiveLimit]:
    """By event and window."""
    return [_shown(scope, event, rule) for event, rule in _rules(rules, scope, subject, facts)]


async def usage(
    connection: Connection, rules: Rules, scope: Scope, key: str, subject: Subject, facts: Facts = NOBODY
) -> list[LimitUsage]:
    """The same with what is used. `key` is the address, account, domain or token."""
    who = client_key(key) if scope is Scope.IP else key
    holding = list(_rules(rules, scope, subject, facts))
    events = sorted({event.value for event, _ in holding})
    rows = await connection.fetch(counter_sql.USAGE, f"{scope.value}:{who}", events)
    found = {(row["event"], row["window_seconds"]): row for row in rows}
    shown = []
    for event, rule in holding:
        row = found.get((event.value, rule.limit.window_seconds))
        bucket = scope is Scope.IP and event is Event.API_REQUESTS
        used, resets_at = _of_bucket(row, rule) if bucket else _of_window(row)
        shown.append(
            LimitUsage(
                **_shown(scope, event, rule).model_dump(),
                used=used,
                remaining=max(0, rule.limit.count - used),
                resets_at=resets_at,
            )
        )
    return shown


def _rules(rules: Rules, scope: Scope, subject: Subject, facts: Facts) -> Iterable[tuple[Event, Rule]]:
    for event in sorted(COUNTED[scope]):
        for rule in sorted(rules.of(scope, event, subject, facts), key=lambda one: one.limit.window_minutes):
            yield event, rule


def _shown(scope: Scope, event: Event, rule: Rule) -> EffectiveLimit:
    return EffectiveLimit(
        scope=scope,
        event=event,
        count=rule.limit.count,
        window_minutes=rule.limit.window_minutes,
        source=rule.source,
        action=rule.action,
    )


def _of_window(row: Any) -> tuple[int, dt.datetime | None]:
    if row is None or row["seconds_left"] <= 0 or row["used"] <= 0:
        return 0, None
    ends: dt.datetime = row["started_at"] + dt.timedelta(seconds=row["window_seconds"])
    return row["used"], ends


def _of_bucket(row: Any, rule: Rule) -> tuple[int, dt.datetime | None]:
    ahead = 0.0 if row is None else row["seconds_left"] - row["window_seconds"]
    if ahead <= 0:
        return 0, None
    return math.ceil(ahead * rule.limit.count / rule.limit.window_seconds), row["started_at"]
