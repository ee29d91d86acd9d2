"""Checks of the phase mail: who may send, as whom, how much."""

from mailraven.policy.facts import MailFacts
from mailraven.policy.verdict import Reason, Refusal, Reject
from mailraven.smtp import replies


def auth_required(facts: MailFacts) -> Refusal | None:
    # RFC 6409 §4.3
    return None if facts.authenticated else Reject(Reason.AUTH_REQUIRED, replies.AUTH_REQUIRED)


def sender_not_owned(facts: MailFacts) -> Refusal | None:
    # RFC 6409 §6.1
    if facts.sender_owned:
        return None
    return Reject(Reason.SENDER_NOT_OWNED, replies.SENDER_NOT_OWNED)


def message_too_large(facts: MailFacts) -> Refusal | None:
    # RFC 1870 §6.1
    if facts.size is not None and facts.size > facts.max_size:
        return Reject(Reason.MESSAGE_TOO_LARGE, replies.MESSAGE_TOO_LARGE)
    return None
