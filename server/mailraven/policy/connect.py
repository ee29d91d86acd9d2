"""Checks of the phase connect."""

from mailraven.policy.facts import BannedFor, ConnectFacts
from mailraven.policy.verdict import Defer, Reason, Refusal, Reject
from mailraven.smtp import replies


def shutting_down(facts: ConnectFacts) -> Refusal | None:
    return Defer(Reason.SHUTTING_DOWN, replies.SHUTTING_DOWN) if facts.draining else None


def too_many_connections(facts: ConnectFacts) -> Refusal | None:
    if facts.open_connections >= facts.max_connections:
        return Defer(Reason.TOO_MANY_CONNECTIONS, replies.TOO_MANY_CONNECTIONS)
    return None


def banned(facts: ConnectFacts) -> Refusal | None:
    """For a time: with a temporary refusal, so that the mail of others behind that address is late, not lost."""
    match facts.banned:
        case BannedFor.GOOD:
            return Reject(Reason.BANNED, replies.BANNED)
        case BannedFor.A_TIME:
            return Defer(Reason.BANNED, replies.BANNED_FOR_NOW)
        case _:
            return None


def too_many_from_address(facts: ConnectFacts) -> Refusal | None:
    return Defer(Reason.TOO_MANY_FROM_ADDRESS, replies.TOO_MANY_FROM_YOU) if facts.crowded else None


def too_often(facts: ConnectFacts) -> Refusal | None:
    return Defer(Reason.TOO_OFTEN, replies.TOO_OFTEN.saying(facts.over_limit)) if facts.over_limit else None
