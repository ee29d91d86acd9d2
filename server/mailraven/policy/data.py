"""Checks of the phase data, on the message as it came."""

from mailraven.policy.facts import DataFacts
from mailraven.policy.verdict import Reason, Refusal, Reject
from mailraven.smtp import replies


def mail_loop(facts: DataFacts) -> Refusal | None:
    # RFC 5321 §6.3
    return Reject(Reason.MAIL_LOOP, replies.TOO_MANY_HOPS) if facts.hops > facts.max_hops else None
