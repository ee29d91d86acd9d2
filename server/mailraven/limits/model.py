"""Values of limits and bans: what a charge costs, what a decision says, who is banned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class CounterKey(NamedTuple):
    """A row of limit_counter; the order is that in which rows are locked."""

    event: str
    key: str
    window_seconds: int


class Cost(NamedTuple):
    """So many events on a counter that may go to `limit`."""

    counter: CounterKey
    limit: int
    events: int = 1


class Charged(NamedTuple):
    """What was taken from a lease, to be given back if the event does not happen after all."""

    counter: CounterKey
    events: int
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ban:
    """Clients of `network` are refused until `until` (None: until somebody lifts it)."""

    network: str
    reason: str
    created_by: str
    offences: int
    created_at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """For RateLimit-* and Retry-After headers, and the texts of 421 and 450. A limit of 0: none holds."""

    allowed: bool
    limit: int = 0
    remaining: int = 0
    reset_seconds: float = 0.0
    what: str = ""
    """What is limited, in words: "50 connections in 60 minutes from one address"."""
    window_seconds: int = 0
    ban: Ban | None = None
    charged: Sequence[Charged] = ()

    @property
    def text(self) -> str:
        """Why it is refused, and when that ends, for people."""
        if self.ban is not None:
            return "Your address is banned" + ("" if self.ban.until is None else ", try again later")
        return f"The limit of {self.what} is reached, try again in {duration(self.reset_seconds)}"


ALLOWED = Decision(True)


def duration(seconds: float) -> str:
    """In words, rounded up: "40 seconds", "12 minutes", "3 hours"."""
    number, unit = max(1, -int(-seconds // 1)), "second"
    if number > 2 * 3600:
        number, unit = -(-number // 3600), "hour"
    elif number > 120:
        number, unit = -(-number // 60), "minute"
    return f"{number} {unit}" + ("" if number == 1 else "s")


_EVENTS = {
    "smtp_connections": "connections",
    "smtp_messages": "messages",
    "messages": "messages",
    "recipients": "recipients",
    "auth_failures": "failed log-ins",
    "api_requests": "requests",
}
_SCOPES = {
    "ip": "from one address",
    "account": "of one account",
    "domain": "of one domain",
    "token": "with one token",
}


def describe(event: str, scope: str, limit: int, window_seconds: int) -> str:
    """A limit in words."""
    minutes = window_seconds // 60
    window = {1: "a minute", 60: "60 minutes", 1440: "24 hours"}.get(minutes, f"{minutes} minutes")
    return f"{limit} {_EVENTS.get(event, event)} in {window} {_SCOPES.get(scope, '')}".rstrip()
