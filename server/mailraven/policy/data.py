"""Checks of the phase data, on the message as it came."""

from mailraven.policy.facts import DataFacts
from mailraven.policy.verdict import Reason, Refusal, Reject
from mailraven.smtp import replies

MAX_SUBMITTED_HEADER = 1 << 20  # octets: submission edits the header field by field, on the shared loop


def mail_loop(facts: DataFacts) -> Refusal | None:
    # RFC 5321 §6.3
    return Reject(Reason.MAIL_LOOP, replies.TOO_MANY_HOPS) if facts.hops > facts.max_hops else None


def header_too_large(facts: DataFacts) -> Refusal | None:
    if facts.header_octets > MAX_SUBMITTED_HEADER:
        return Reject(Reason.HEADER_TOO_LARGE, replies.HEADER_TOO_LARGE)
    return None
