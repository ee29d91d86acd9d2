"""The whole policy as data: each chain is asked in order, the first refusal counts.

A new check is a function in the file of its phase and a word in a tuple here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mailraven.policy.connect import banned, shutting_down, too_many_connections, too_many_from_address, too_often
from mailraven.policy.data import header_too_large, mail_loop
from mailraven.policy.envelope import limit_reached
from mailraven.policy.facts import ConnectFacts, DataFacts, EnvelopeFacts, MailFacts, RcptFacts
from mailraven.policy.mail import auth_required, message_too_large, sender_not_owned
from mailraven.policy.rcpt import (
    literal_refused,
    over_quota,
    recipient_disabled,
    relay_denied,
    sender_blocked,
    too_many_recipients,
    unknown_recipient,
)
from mailraven.policy.verdict import ACCEPT, Refusal, Verdict

F = TypeVar("F")
Chain = tuple[Callable[[F], Refusal | None], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The chains of one role."""

    connect: Chain[ConnectFacts]
    mail: Chain[MailFacts]
    rcpt: Chain[RcptFacts]
    envelope: Chain[EnvelopeFacts]
    data: Chain[DataFacts]


CONNECT: Chain[ConnectFacts] = (banned, shutting_down, too_many_connections, too_many_from_address, too_often)

MX_MAIL: Chain[MailFacts] = (message_too_large,)
MX_RCPT: Chain[RcptFacts] = (
    too_many_recipients,
    relay_denied,
    unknown_recipient,
    recipient_disabled,
    sender_blocked,
    over_quota,
)

SUBMISSION_MAIL: Chain[MailFacts] = (auth_required, sender_not_owned, message_too_large)
SUBMISSION_RCPT: Chain[RcptFacts] = (
    too_many_recipients,
    literal_refused,
    unknown_recipient,
    recipient_disabled,
    sender_blocked,
    over_quota,
)

ENVELOPE: Chain[EnvelopeFacts] = (limit_reached,)

MX_DATA: Chain[DataFacts] = (mail_loop,)
SUBMISSION_DATA: Chain[DataFacts] = (header_too_large, mail_loop)

MX = Policy(CONNECT, MX_MAIL, MX_RCPT, ENVELOPE, MX_DATA)
SUBMISSION = Policy(CONNECT, SUBMISSION_MAIL, SUBMISSION_RCPT, ENVELOPE, SUBMISSION_DATA)


def decide(chain: Chain[F], facts: F) -> Verdict:
    for check in chain:
        refusal = check(facts)
        if refusal is not None:
            return refusal
    return ACCEPT
