"""What a check can say. The reason goes to logs and metrics, the reply to the peer."""

from dataclasses import dataclass
from enum import StrEnum

from mailraven.smtp.reply import Reply


class Reason(StrEnum):
    """A closed set, fit for a label of a metric."""

    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_FROM_ADDRESS = "too_many_from_address"
    TOO_OFTEN = "too_often"
    BANNED = "banned"
    LIMIT_REACHED = "limit_reached"
    SHUTTING_DOWN = "shutting_down"
    AUTH_REQUIRED = "auth_required"
    SENDER_NOT_OWNED = "sender_not_owned"
    MESSAGE_TOO_LARGE = "message_too_large"
    RELAY_DENIED = "relay_denied"
    LITERAL_REFUSED = "literal_refused"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    RECIPIENT_DISABLED = "recipient_disabled"
    SENDER_BLOCKED = "sender_blocked"
    OVER_QUOTA = "over_quota"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    OUT_OF_MEMORY = "out_of_memory"
    HEADER_TOO_LARGE = "header_too_large"
    MAIL_LOOP = "mail_loop"
    BARE_LINE_END = "bare_line_end"


@dataclass(frozen=True, slots=True)
class Accept:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: the peer should come again."""

    reason: Reason
    reply: Reply

    def __post_init__(self) -> None:
        if self.reply.code // 100 != 4:
            raise ValueError(f"a deferral answers 4xx, not {self.reply.code}")


@dataclass(frozen=True, slots=True)
class Reject:
    """Never like this."""

    reason: Reason
    reply: Reply

    def __post_init__(self) -> None:
        if self.reply.code // 100 != 5:
            raise ValueError(f"a rejection answers 5xx, not {self.reply.code}")


Refusal = Defer | Reject
Verdict = Accept | Refusal
ACCEPT = Accept()
