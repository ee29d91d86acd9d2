"""Reading the queue for people: by filters and page by page, one message whole, how much waits for which domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WAITING = ("queued", "attempting", "deferred", "held")
FINISHED = ("delivered", "failed", "expired")
STATES = WAITING + FINISHED
_NO_END = 2**63 - 1

# One arm for each partial index: Postgres uses them only where it sees their condition in so many words.
_WAITING = "(r.state IN ('queued', 'deferred') OR r.state = 'attempting' OR r.state = 'held')"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which recipients; what is not set, does not count. Addresses compare without regard to case."""

    states: tuple[str, ...] = ()
    """None: all that wait."""
    domain: str | None = None
    """Of the recipient: A-labels, lower case."""
    recipient: str | None = None
    sender: str | None = None
    """The return path; `@example.org`: all of a domain; empty: the null reverse-path."""
    account: int | None = None
    """Whose mail it is."""
    older_than_seconds: float | None = None
    message: int | None = None
    """All recipients of one message, whatever their state unless `states` says."""
    ids: tuple[int, ...] | None = None
    """Only these recipients."""
    account_domains: frozenset[int] | None = None
    """Only mail of accounts in these domains (by id): what a domain-admin may see. None: everything."""


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient and what became of it so far."""

    id: int
    message_id: int
    recipient: str
    domain: str
    state: str
    held_from: str | None
    held_at: datetime | None
    attempts: int
    due_at: datetime
    last_reply: str
    last_status: str
    remote_mta: str
    cancelled: str
    created_at: datetime
    updated_at: datetime
    account_id: int
    account: str | None
    """Address of the account; None: it is gone."""
    account_held: str | None
    """Why all mail of the account waits; None: it does not."""
    return_path: str
    trace_id: str
    size: int


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message with where its octets are."""

    id: int
    account_id: int
    account: str | None
    account_held: str | None
    domain_id: int | None
    """The account's."""
    return_path: str
    trace_id: str
    envelope_id: str
    smtputf8: bool
    size: int
    created_at: datetime
    body_account_id: int
    body_id: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many recipients of a domain wait in one state, and since when the oldest does."""

    domain: str
    state: str
    recipients: int
    oldest: datetime


_MESSAGE_COLUMNS = """m.account_id, a.localpart || '@' || d.name AS account, a.sending_held AS account_held,
    m.return_path, m.trace_id, coalesce(b.size, 0) AS size"""
_MESSAGE_JOINS = """LEFT JOIN account a ON a.id = m.account_id LEFT JOIN domain d ON d.id = a.domain_id
    LEFT JOIN body b ON b.account_id = m.body_account_id AND b.id = m.body_id"""

_ENTRIES = f"""
SELECT r.id, r.message_id, r.recipient, r.domain, r.state, r.held_from, r.held_at, r.attempts, r.due_at, r.last_reply,
    r.last_status, r.remote_mta, r.cancelled, r.created_at, r.updated_at, {_MESSAGE_COLUMNS}
FROM queue_message m JOIN queue_recipient r ON r.account_id = m.account_id AND r.message_id = m.id {_MESSAGE_JOINS}
WHERE (m.id, r.id) < ($1::bigint, $2::bigint) AND %s ORDER BY m.id DESC, r.id DESC LIMIT $3
"""  # noqa: S608 - constants

_MESSAGE = f"""
SELECT m.id, a.domain_id, m.envelope_id, m.smtputf8, m.created_at, m.body_account_id, m.body_id, {_MESSAGE_COLUMNS}
FROM queue_message m {_MESSAGE_JOINS} WHERE m.id = $1 AND ($2::bigint[] IS NULL OR a.domain_id = ANY($2))
"""  # noqa: S608 - constants

_SUMMARY = f"""
SELECT r.domain, r.state, count(*) AS recipients, min(r.created_at) AS oldest FROM queue_recipient r
WHERE {_WAITING} AND ($1::bigint[] IS NULL OR r.account_id IN (SELECT id FROM account WHERE domain_id = ANY($1)))
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $2
"""  # noqa: S608 - constants


class Condition:
    """A filter as SQL over queue_recipient r and queue_message m; every text is a parameter."""

    def __init__(self, chosen: Filter, first_parameter: int = 1) -> None:
        self._first = first_parameter
        self.parameters: list[Any] = []
        self.sql = " AND ".join(self._parts(chosen)) or "true"

    def parameter(self, value: Any, kind: str) -> str:
        """The value's place in the statement."""
        self.parameters.append(value)
        return f"${self._first + len(self.parameters) - 1}::{kind}"

    def _parts(self, chosen: Filter) -> Iterable[str]:
        yield from self._states(chosen)
        if chosen.message is not None:
            yield f"m.id = {self.parameter(chosen.message, 'bigint')}"
        if chosen.ids is not None:
            yield f"r.id = ANY({self.parameter(list(chosen.ids), 'bigint[]')})"
        if chosen.domain is not None:
            yield f"r.domain = {self.parameter(chosen.domain, 'text')}"
        if chosen.recipient is not None:
            yield f"lower(r.recipient) = lower({self.parameter(chosen.recipient, 'text')})"
        if chosen.sender is not None:
            yield self._sender(chosen.sender)
        if chosen.account is not None:
            account = self.parameter(chosen.account, "bigint")
            yield f"m.account_id = {account} AND r.account_id = {account}"
        if chosen.older_than_seconds is not None:
            seconds = self.parameter(float(chosen.older_than_seconds), "float8")
            yield f"m.created_at < now() - make_interval(secs => {seconds})"
        if chosen.account_domains is not None:
            domains = self.parameter(sorted(chosen.account_domains), "bigint[]")
            yield f"m.account_id IN (SELECT id FROM account WHERE domain_id = ANY({domains}))"  # noqa: S608 - a place

    def _states(self, chosen: Filter) -> Iterable[str]:
        if chosen.states:
            yield f"r.state = ANY({self.parameter(list(chosen.states), 'text[]')})"
            if not set(chosen.states) - set(WAITING):
                yield _WAITING
        elif chosen.message is None:
            yield _WAITING

    def _sender(self, sender: str) -> str:
        place = self.parameter(sender, "text")
        if sender.startswith("@"):
            return f"right(lower(m.return_path), length({place})) = lower({place})"
        return f"lower(m.return_path) = lower({place})"


async def entries(
    connection: Any, chosen: Filter, *, before: tuple[int, int] | None = None, limit: int = 100
) -> list[QueuedRecipient]:
    """Recipients, newest message first; `before`: message and recipient id of the last one seen."""
    condition = Condition(chosen, first_parameter=4)
    # Prepared anew: a plan for any filter is of no use for this one.
    prepared = await connection.prepare(_ENTRIES % condition.sql)
    message_id, recipient_id = before or (_NO_END, _NO_END)
    rows = await prepared.fetch(message_id, recipient_id, limit, *condition.parameters)
    return [QueuedRecipient(**dict(row)) for row in rows]


async def message(connection: Any, id: int, account_domains: frozenset[int] | None = None) -> QueuedMessage | None:
    """One message; None: there is none, or not of these domains."""
    domains = None if account_domains is None else sorted(account_domains)
    row = await connection.fetchrow(_MESSAGE, id, domains)
    return None if row is None else QueuedMessage(**dict(row))


async def summary(connection: Any, account_domains: frozenset[int] | None = None, limit: int = 1000) -> list[Waiting]:
    """What waits by recipient domain and state, the most first."""
    domains = None if account_domains is None else sorted(account_domains)
    return [Waiting(**dict(row)) for row in await connection.fetch(_SUMMARY, domains, limit)]
