"""Checks of the phase connect."""

from mailraven.policy.facts import ConnectFacts
from mailraven.policy.verdict import Defer, Reason, Refusal
from mailraven.smtp import replies


def shutting_down(facts: ConnectFacts) -> Refusal | None:
    return Defer(Reason.SHUTTING_DOWN, replies.SHUTTING_DOWN) if facts.draining else None


def too_many_connections(facts: ConnectFacts) -> Refusal | None:
    if facts.open_connections >= facts.max_connections:
        return Defer(Reason.TOO_MANY_CONNECTIONS, replies.TOO_MANY_CONNECTIONS)
    return None
