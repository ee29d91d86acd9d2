"""From outcomes to what becomes of each recipient, and which of them the sender hears about. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailraven.delivery.dsn import Action, Report
from mailraven.delivery.outcome import Outcome, Result
from mailraven.queue import Claim, ClaimedRecipient, GiveUp, Schedule, State, Transition, decide

_EXPIRED = "4.4.7"  # RFC 3463 §3.5: delivery time expired
_POSTPONE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Planned:
    """One recipient: its next state, and its part of a DSN if it gets one."""

    transition: Transition
    report: Report | None = None
    tls: str = ""
    """Protocol and cipher of the connection, for the trace."""


def plan(
    claim: Claim, outcomes: Sequence[Outcome], schedule: Schedule, now: datetime, rng: random.Random
) -> list[Planned]:
    """An outcome for each recipient of the claim, in order. Mail from the null sender gets no DSN (RFC 5321 §6.1)."""
    planned = [
        replace(_plan_one(claim, recipient, outcome, schedule, now, rng), tls=outcome.tls)
        for recipient, outcome in zip(claim.recipients, outcomes, strict=True)
    ]
    return planned if claim.return_path else [replace(one, report=None) for one in planned]


def postponed(planned: Sequence[Planned], now: datetime) -> list[Planned]:
    """The same when no DSN can be stored now: what needs one waits, the rest stands."""
    later = now + timedelta(seconds=_POSTPONE_SECONDS)
    return [
        one
        if one.report is None
        else Planned(replace(one.transition, state=State.DEFERRED, due_at=later, delay_warned=False), tls=one.tls)
        for one in planned
    ]


def _plan_one(
    claim: Claim,
    recipient: ClaimedRecipient,
    outcome: Outcome,
    schedule: Schedule,
    now: datetime,
    rng: random.Random,
) -> Planned:
    def transition(state: State, status: str = outcome.status, due_at: datetime | None = None) -> Transition:
        return Transition(recipient, state, status, outcome.text, outcome.remote_mta, due_at)

    if outcome.result is Result.DELIVERED:
        return Planned(transition(State.DELIVERED))
    if outcome.result is Result.FAILED:
        return Planned(transition(State.FAILED), _report(recipient, Action.FAILED, outcome))
    first_try = recipient.clock_from or claim.created_at
    decision = decide(
        schedule,
        attempts=recipient.attempts + 1,
        first_try=first_try,
        now=now,
        rng=rng,
        delay_warned=recipient.delay_warned,
    )
    if isinstance(decision, GiveUp):
        expired = replace(outcome, status=_EXPIRED)
        return Planned(transition(State.EXPIRED, _EXPIRED), _report(recipient, Action.FAILED, expired))
    deferred = transition(State.DEFERRED, due_at=decision.at)
    if not decision.warn_delayed:
        return Planned(deferred)
    until = first_try + timedelta(seconds=schedule.max_age)
    return Planned(replace(deferred, delay_warned=True), _report(recipient, Action.DELAYED, outcome, until))


def _report(
    recipient: ClaimedRecipient, action: Action, outcome: Outcome, retry_until: datetime | None = None
) -> Report:
    return Report(
        recipient=recipient.address,
        action=action,
        status=outcome.status,
        text=outcome.text,
        remote_said=outcome.remote_said,
        remote_mta=outcome.remote_mta,
        retry_until=retry_until,
    )
