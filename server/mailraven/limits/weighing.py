"""From charges to a decision: what refuses is told in words, logged, counted, and may lead to a ban."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mailraven.limits.clients import client_key
from mailraven.limits.counters import Counters, Outcome
from mailraven.limits.model import ALLOWED, Charged, Cost, CounterKey, Decision, describe
from mailraven.limits.offences import Offences
from mailraven.limits.rules import Rule
from mailraven.telemetry import metrics
from mailraven_api.limits import Event, Scope

_log = structlog.get_logger(component="limits")


@dataclass(frozen=True, slots=True)
class Charge:
    """A cost, and the rule it comes from."""

    cost: Cost
    rule: Rule
    scope: Scope
    event: Event


class Weighing:
    """One for a process."""

    def __init__(self, counters: Counters, offences: Offences) -> None:
        self._counters = counters
        self._offences = offences

    async def weigh(
        self, charges: Sequence[Charge], *, ip: str, account: str = "", token: str = "", request_id: str = ""
    ) -> Decision:
        """Charge all or none; a refusal is logged and counted."""
        if not charges:
            return ALLOWED
        decision, refusing = await self.attempt(charges)
        if refusing is not None:
            await self.exceeded(refusing, decision, ip=ip, account=account, token=token, request_id=request_id)
        return decision

    async def attempt(self, charges: Sequence[Charge], *, spend: bool = True) -> tuple[Decision, Charge | None]:
        """The decision, and what refuses; nothing is logged."""
        holding = [charge for charge in charges if charge.rule.action != "log"]
        if len(holding) != len(charges):
            await self._only_log([charge for charge in charges if charge.rule.action == "log"])
        outcome = await self._counters.charge([charge.cost for charge in holding], spend=spend)
        charge = _charge_of(outcome, holding)
        if charge is None:
            return ALLOWED, None
        limit, window = charge.cost.limit, charge.cost.counter.window_seconds
        decision = Decision(
            outcome.allowed,
            limit,
            outcome.remaining,
            outcome.reset_seconds,
            describe(charge.event.value, charge.scope.value, limit, window),
            window,
            charged=outcome.charged,
        )
        return decision, None if outcome.allowed else charge

    def refund(self, charged: Sequence[Charged]) -> None:
        """What was charged did not happen."""
        self._counters.refund(charged)

    async def exceeded(
        self, charge: Charge, decision: Decision, *, ip: str, account: str = "", token: str = "", request_id: str = ""
    ) -> None:
        """A limit refuses a client."""
        metrics.LIMIT_REFUSALS.labels(charge.event.value, charge.scope.value).inc()
        _log.warning(
            "rate_limit_exceeded",
            ip=ip,
            account=account,
            token=token,
            counted=charge.event.value,
            scope=charge.scope.value,
            key=charge.cost.counter.key,
            limit=charge.cost.limit,
            window_seconds=charge.cost.counter.window_seconds,
            source=charge.rule.source,
            reset_seconds=round(decision.reset_seconds, 1),
            request_id=request_id,
        )
        at_once = charge.rule.action == "ban"
        if at_once or charge.scope is Scope.IP:
            await self._offences.count(ip, f"exceeded {decision.what}", request_id=request_id, at_once=at_once)

    async def exceeded_pace(self, rule: Rule, decision: Decision, *, ip: str, token: str, request_id: str) -> None:
        """Of requests one violation in a window: a page that asks a little too fast is no attack."""
        once = Cost(CounterKey("api_violations", f"ip:{client_key(ip)}", decision.window_seconds), 1)
        outcome = await self._counters.charge([once])
        if not outcome.allowed:
            metrics.LIMIT_REFUSALS.labels(Event.API_REQUESTS.value, Scope.IP.value).inc()
            return
        counter = CounterKey(Event.API_REQUESTS.value, f"ip:{client_key(ip)}", decision.window_seconds)
        charge = Charge(Cost(counter, decision.limit), rule, Scope.IP, Event.API_REQUESTS)
        await self.exceeded(charge, decision, ip=ip, token=token, request_id=request_id)

    async def _only_log(self, charges: Sequence[Charge]) -> None:
        """Policies with the action `log` count on counters of their own and refuse nothing."""
        for charge in charges:
            key = charge.cost.counter
            apart = charge.cost._replace(counter=key._replace(event=f"{key.event}/log"))
            outcome = await self._counters.charge([apart])
            if not outcome.allowed:
                _log.warning(
                    "rate_limit_exceeded",
                    action="log",
                    counted=charge.event.value,
                    scope=charge.scope.value,
                    key=key.key,
                    limit=charge.cost.limit,
                    window_seconds=key.window_seconds,
                    source=charge.rule.source,
                )


def _charge_of(outcome: Outcome, charges: Sequence[Charge]) -> Charge | None:
    if outcome.cost is None:
        return None
    return next(charge for charge in charges if charge.cost.counter == outcome.cost.counter)
