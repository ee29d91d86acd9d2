"""The outbound queue: what waits, why, and what to do about it."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailraven_api.domain import Name, Text
from mailraven_api.model import Model

QueueState = Literal["queued", "attempting", "deferred", "held", "delivered", "failed", "expired"]
_Id = Annotated[int, Field(ge=1, lt=2**63)]


class QueueEntry(Model):
    """One recipient of a message in the queue."""

    id: int
    message_id: int
    recipient: str
    domain: str
    """Where it goes: A-labels."""
    state: QueueState
    held_from: Literal["queued", "deferred"] | None
    """The state that it goes back to."""
    attempts: int
    due_at: datetime | None
    """The next attempt; null: none is planned."""
    last_reply: str
    """What the other server said last, or what we say."""
    last_status: str
    """Enhanced status code (RFC 3463)."""
    remote_mta: str
    sender: str
    """The return path; empty: the null reverse-path."""
    account: str | None
    """Whose mail it is; null: the account is gone."""
    account_held: str | None
    """Why all mail of the account waits; null: it does not."""
    trace_id: str
    size: int
    created_at: datetime
    updated_at: datetime


class QueuePage(Model):
    """Recipients, newest message first."""

    items: tuple[QueueEntry, ...]
    next: str | None
    """Give this as `cursor` for the next page; null: there is none."""


class QueueMessage(Model):
    """A message in the queue with all its recipients."""

    id: int
    account: str | None
    account_held: str | None
    sender: str
    trace_id: str
    envelope_id: str
    smtputf8: bool
    size: int
    created_at: datetime
    header: str | None
    """The start of its header; for super-admins only."""
    recipients: tuple[QueueEntry, ...]


class QueueCount(Model):
    """What waits for one domain in one state."""

    domain: str
    state: QueueState
    recipients: int
    oldest: datetime


class QueueSummary(Model):
    """What waits, the most first."""

    items: tuple[QueueCount, ...]


class QueueFilter(Model):
    """Which recipients; all that is set has to fit. Something must be set, or `all`."""

    state: Annotated[tuple[QueueState, ...], Field(max_length=7)] = ()
    """Empty: all states that the action is for."""
    domain: Name | None = None
    """Of the recipient."""
    sender: Text | None = None
    """The return path; "@example.org": all of that domain; "<>": the null reverse-path."""
    recipient: Text | None = None
    account: Text | None = None
    """Address of the account whose mail it is."""
    older_than_minutes: Annotated[int, Field(ge=0, le=5_256_000)] | None = None
    ids: Annotated[tuple[_Id, ...], Field(min_length=1, max_length=10_000)] | None = None
    """Ids of recipients."""
    all: bool = False
    """Everything that one may act on."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.all and not self.model_fields_set - {"all"}:
            raise ValueError('say which recipients, or "all": true')
        return self


class QueueAction(Model):
    """POST …/queue/{hold,retry}."""

    filter: QueueFilter
    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    """Recipients at most."""


class QueueRelease(QueueAction):
    """POST …/queue/release."""

    lift_account_hold: bool = False
    """Also end the hold of all mail of the account that the filter names."""

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        if self.lift_account_hold and self.filter.account is None:
            raise ValueError("lift_account_hold needs the account in the filter")
        return self


class QueueCancel(QueueAction):
    """POST …/queue/cancel."""

    notify_sender: bool = False
    """Send a delivery status notification to the sender."""


class QueueMessageCancel(Model):
    """POST …/queue/{message_id}/cancel."""

    notify_sender: bool = False
    """Send a delivery status notification to the sender."""


class QueueResult(Model):
    """What an action did, in recipients."""

    changed: int
    attempting: int
    """Being tried at this moment: not touched. Ask again when the attempt has ended."""
    unchanged: int
    """In a state that the action is not for."""
    account_held: int
    """Not released: all mail of their account is held."""
    more: bool
    """The limit was reached: there may be others."""
