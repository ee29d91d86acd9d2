"""Checks before the data of a message: its sender and all its recipients are known, nothing is transferred yet."""

from mailraven.policy.facts import EnvelopeFacts
from mailraven.policy.verdict import Defer, Reason, Refusal
from mailraven.smtp import replies


def limit_reached(facts: EnvelopeFacts) -> Refusal | None:
    # RFC 5321 §4.3.2: 450 after DATA is for reasons of policy; the client keeps the message and tries again.
    if facts.over_limit:
        return Defer(Reason.LIMIT_REACHED, replies.LIMIT_REACHED.saying(facts.over_limit))
    return None
