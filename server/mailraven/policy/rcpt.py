"""Checks of the phase rcpt: whose mail we take, and whether there is room for it."""

from mailraven.policy.facts import Destination, RcptFacts
from mailraven.policy.verdict import Defer, Reason, Refusal, Reject
from mailraven.smtp import replies


def too_many_recipients(facts: RcptFacts) -> Refusal | None:
    # RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in another transaction
    if facts.recipients >= facts.max_recipients:
        return Defer(Reason.TOO_MANY_RECIPIENTS, replies.TOO_MANY_RECIPIENTS)
    return None


def relay_denied(facts: RcptFacts) -> Refusal | None:
    # RFC 5321 §7.9, RFC 2505 §2.1
    if facts.destination is Destination.FOREIGN:
        return Reject(Reason.RELAY_DENIED, replies.RELAY_DENIED)
    return None


def literal_refused(facts: RcptFacts) -> Refusal | None:
    """What we send out goes where the DNS says, never to an address that a client names."""
    if facts.literal and facts.destination is Destination.FOREIGN:
        return Reject(Reason.LITERAL_REFUSED, replies.LITERAL_REFUSED)
    return None


def unknown_recipient(facts: RcptFacts) -> Refusal | None:
    if facts.destination is Destination.UNKNOWN:
        return Reject(Reason.UNKNOWN_RECIPIENT, replies.UNKNOWN_RECIPIENT)
    return None


def recipient_disabled(facts: RcptFacts) -> Refusal | None:
    if facts.destination is Destination.DISABLED:
        return Reject(Reason.RECIPIENT_DISABLED, replies.RECIPIENT_DISABLED)
    return None


def sender_blocked(facts: RcptFacts) -> Refusal | None:
    if facts.destination is Destination.BLOCKED:
        return Reject(Reason.SENDER_BLOCKED, replies.SENDER_BLOCKED)
    return None


def over_quota(facts: RcptFacts) -> Refusal | None:
    if facts.room is None or facts.postmaster:  # RFC 5321 §4.5.1: postmaster is always reachable
        return None
    if facts.room <= 0 or (facts.size is not None and facts.size > facts.room):
        return Defer(Reason.OVER_QUOTA, replies.MAILBOX_FULL)
    return None
