"""Between the models of the queue's routes and mailraven.queue."""

from __future__ import annotations

from mailraven.adminapi.paging import PageRequest
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem
from mailraven.directory import normalize_domain
from mailraven.queue import Filter, QueuedMessage, QueuedRecipient
from mailraven_api.queue import QueueEntry, QueueFilter, QueueMessage

_PLANNED = ("queued", "deferred")
_MAX_ID = 2**63 - 1


def choose(principal: Principal, wanted: QueueFilter, account: int | None) -> Filter:
    """What the principal may act on of what is wanted. AddressError for what is no domain."""
    return Filter(
        states=wanted.state,
        domain=None if wanted.domain is None else normalize_domain(wanted.domain),
        recipient=wanted.recipient,
        sender="" if wanted.sender == "<>" else wanted.sender,
        account=account,
        older_than_seconds=None if wanted.older_than_minutes is None else 60.0 * wanted.older_than_minutes,
        ids=wanted.ids,
        account_domains=principal.administered(),
    )


def cursor_of(entry: QueuedRecipient) -> str:
    """The key of a page's last entry."""
    return f"{entry.message_id}.{entry.id}"


def read_cursor(page: PageRequest) -> tuple[int, int] | None:
    """The key of the page before. Raises ApiProblem 422."""
    if not page.after:
        return None
    numbers = page.after.split(".")
    if len(numbers) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 19 for part in numbers):
        raise ApiProblem(422, "The cursor is not one of this server's.", errors=[("/cursor", "not a cursor")])
    message, recipient = map(int, numbers)
    return min(message, _MAX_ID), min(recipient, _MAX_ID)


def shown(entry: QueuedRecipient) -> QueueEntry:
    """As the API shows it."""
    return QueueEntry.model_validate(
        {
            "id": entry.id,
            "message_id": entry.message_id,
            "recipient": entry.recipient,
            "domain": entry.domain,
            "state": entry.state,
            "held_from": entry.held_from,
            "attempts": entry.attempts,
            "due_at": entry.due_at if entry.state in _PLANNED else None,
            "last_reply": entry.last_reply,
            "last_status": entry.last_status,
            "remote_mta": entry.remote_mta,
            "sender": entry.return_path,
            "account": entry.account,
            "account_held": entry.account_held,
            "trace_id": entry.trace_id,
            "size": entry.size,
            "created_at": entry.created_at,
            "updated_at": entry.updated_at,
        }
    )


def shown_message(message: QueuedMessage, recipients: list[QueuedRecipient], header: str | None) -> QueueMessage:
    """As the API shows it."""
    return QueueMessage(
        id=message.id,
        account=message.account,
        account_held=message.account_held,
        sender=message.return_path,
        trace_id=message.trace_id,
        envelope_id=message.envelope_id,
        smtputf8=message.smtputf8,
        size=message.size,
        created_at=message.created_at,
        header=header,
        recipients=tuple(map(shown, recipients)),
    )
