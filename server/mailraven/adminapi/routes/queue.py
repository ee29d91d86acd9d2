"""The outbound queue: what waits, and hold, release, retry, cancel. Domain-admins: mail of their accounts only."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from mailraven import queue
from mailraven.adminapi.access import HIGHER_ROLE, Principal, Role, Who, allow, change, find_account
from mailraven.adminapi.mail.access import write_down
from mailraven.adminapi.mail.wire import clean
from mailraven.adminapi.paging import Paging, encode_cursor
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.queue_entries import choose, cursor_of, read_cursor, shown, shown_message
from mailraven.adminapi.services import Api, ApiServices
from mailraven.db import Connection
from mailraven.mailstore import BodyRef
from mailraven.message import split_header
from mailraven.queue import Action, Filter, QueuedMessage, listing
from mailraven.trace import Kind, TraceEvent
from mailraven_api.domain import Name, Text
from mailraven_api.queue import (
    QueueAction,
    QueueCancel,
    QueueCount,
    QueueFilter,
    QueueMessage,
    QueueMessageCancel,
    QueuePage,
    QueueRelease,
    QueueResult,
    QueueState,
    QueueSummary,
)

router = APIRouter(prefix="/api/v1/queue", tags=["queue"])
Reader = Annotated[Principal, Depends(allow("queue:read", Who.ADMINS))]
Writer = Annotated[Principal, Depends(allow("queue:write", Who.ADMINS))]
MessageId = Annotated[int, Path(ge=1, lt=2**63, description="The queue id of the message.")]
_HEADER_OCTETS = 8192
_RECIPIENTS = 10_000
_TRACED = 1000  # recipients of one action
_CHANNEL = "mailraven_queue"
_KINDS = {
    Action.HOLD: Kind.HELD,
    Action.RELEASE: Kind.RELEASED,
    Action.RETRY: Kind.RETRIED,
    Action.CANCEL: Kind.CANCELLED,
    Action.CANCEL_WITH_DSN: Kind.CANCELLED,
}


def _filter(
    state: Annotated[
        list[QueueState] | None, Query(max_length=7, description="May be repeated; left out: all that wait.")
    ] = None,
    domain: Annotated[Name | None, Query(description="Domain of the recipient.")] = None,
    sender: Annotated[Text | None, Query(description='Return path; "@example.org": all of that domain.')] = None,
    recipient: Annotated[Text | None, Query(description="Address of the recipient.")] = None,
    account: Annotated[Text | None, Query(description="Address of the account whose mail it is.")] = None,
    older_than_minutes: Annotated[int | None, Query(ge=0, le=5_256_000, description="Came longer ago.")] = None,
) -> QueueFilter:
    return QueueFilter(
        state=tuple(state or ()),
        domain=domain,
        sender=sender,
        recipient=recipient,
        account=account,
        older_than_minutes=older_than_minutes,
        all=True,
    )


@router.get("", summary="List the queue", responses=problems(404))
async def list_queue(
    api: Api, principal: Reader, page: Paging, wanted: Annotated[QueueFilter, Depends(_filter)]
) -> QueuePage:
    """Recipients, those of the newest message first."""
    before = read_cursor(page)
    async with api.database.acquire() as connection:
        chosen = choose(principal, wanted, await _account(connection, principal, wanted))
        found = await listing.entries(connection, chosen, before=before, limit=page.fetch)
    part = found[: page.limit]
    cursor = encode_cursor(cursor_of(part[-1])) if len(found) > len(part) else None
    return QueuePage(items=tuple(map(shown, part)), next=cursor)


@router.get("/summary", summary="Count the queue")
async def summarize_queue(api: Api, principal: Reader) -> QueueSummary:
    """What waits by domain and state, the most first: a thousand lines at most."""
    async with api.database.acquire() as connection:
        found = await listing.summary(connection, principal.administered())
    items = [
        QueueCount.model_validate(
            {"domain": one.domain, "state": one.state, "recipients": one.recipients, "oldest": one.oldest}
        )
        for one in found
    ]
    return QueueSummary(items=tuple(items))


@router.get("/{message_id}", summary="Show a message in the queue", responses=problems(404))
async def show_queued(api: Api, principal: Reader, message_id: MessageId) -> QueueMessage:
    """With all its recipients; super-admins whose token may read mail see the start of its header, too."""
    async with api.database.acquire() as connection:
        message = await _message(connection, principal, message_id)
        recipients = await listing.entries(connection, Filter(message=message_id), limit=_RECIPIENTS)
    header = None
    if principal.role is Role.SUPER_ADMIN and principal.has_scope("mail:read"):
        header = await _header(api, principal, message)
    return shown_message(message, recipients, header)


@router.post("/hold", summary="Hold mail in the queue", responses=problems(404))
async def hold(api: Api, principal: Writer, body: QueueAction) -> QueueResult:
    """What waits is not tried until it is released; the time to its expiry stands still."""
    return await _act(api, principal, Action.HOLD, body)


@router.post("/release", summary="Release held mail", responses=problems(404))
async def release(api: Api, principal: Writer, body: QueueRelease) -> QueueResult:
    """It goes back to where it was. Mail of an account whose sending is held stays, unless that hold is lifted."""
    return await _act(api, principal, Action.RELEASE, body, lift=body.lift_account_hold)


@router.post("/retry", summary="Try mail now", responses=problems(404))
async def retry(api: Api, principal: Writer, body: QueueAction) -> QueueResult:
    """What waits is due at once."""
    return await _act(api, principal, Action.RETRY, body)


@router.post("/cancel", summary="Cancel mail", responses=problems(404))
async def cancel(api: Api, principal: Writer, body: QueueCancel) -> QueueResult:
    """What waits fails without another attempt; with `notify_sender` its sender is told."""
    return await _act(api, principal, Action.CANCEL_WITH_DSN if body.notify_sender else Action.CANCEL, body)


@router.post("/{message_id}/hold", summary="Hold a message", responses=problems(404))
async def hold_message(api: Api, principal: Writer, message_id: MessageId) -> QueueResult:
    """All its recipients that wait."""
    return await _act_on_message(api, principal, Action.HOLD, message_id)


@router.post("/{message_id}/release", summary="Release a message", responses=problems(404))
async def release_message(api: Api, principal: Writer, message_id: MessageId) -> QueueResult:
    """All its recipients that are held."""
    return await _act_on_message(api, principal, Action.RELEASE, message_id)


@router.post("/{message_id}/retry", summary="Try a message now", responses=problems(404))
async def retry_message(api: Api, principal: Writer, message_id: MessageId) -> QueueResult:
    """All its recipients that wait."""
    return await _act_on_message(api, principal, Action.RETRY, message_id)


@router.post("/{message_id}/cancel", summary="Cancel a message", responses=problems(404))
async def cancel_message(
    api: Api, principal: Writer, message_id: MessageId, body: QueueMessageCancel | None = None
) -> QueueResult:
    """All its recipients that wait."""
    notify = body is not None and body.notify_sender
    action = Action.CANCEL_WITH_DSN if notify else Action.CANCEL
    return await _act_on_message(api, principal, action, message_id)


async def _act(
    api: ApiServices, principal: Principal, action: Action, body: QueueAction, *, lift: bool = False
) -> QueueResult:
    async with change(api, principal) as tx:
        account = await _account(tx.connection, principal, body.filter, lift=lift)
        chosen = choose(principal, body.filter, account)
        lifted = False
        if lift and account is not None:
            lifted = await queue.lift_account_hold(tx.connection, account)
        outcome = await queue.apply(tx.connection, action, chosen, by=principal.actor, limit=body.limit)
        after: dict[str, Any] = {
            "filter": body.filter.model_dump(mode="json", exclude_unset=True),
            "changed": outcome.changed,
        }
        if lift:
            after["account_hold_lifted"] = lifted
        await tx.audit(f"queue.{action.value}", body.filter.account or "", after=after)
    return _done(api, action, outcome)


async def _act_on_message(api: ApiServices, principal: Principal, action: Action, message_id: int) -> QueueResult:
    async with change(api, principal) as tx:
        message = await _message(tx.connection, principal, message_id)
        chosen = Filter(message=message_id, account_domains=principal.administered())
        outcome = await queue.apply(tx.connection, action, chosen, by=principal.actor)
        after = {"sender": message.return_path, "trace_id": message.trace_id, "changed": outcome.changed}
        await tx.audit(f"queue.{action.value}", f"message {message_id}", domain_id=message.domain_id, after=after)
    return _done(api, action, outcome)


def _done(api: ApiServices, action: Action, outcome: queue.Outcome) -> QueueResult:
    """After the commit."""
    if queue.wakes(action, outcome):
        api.database.notifier.notify(_CHANNEL)
    for one in outcome.touched[:_TRACED]:
        api.trace.record(
            TraceEvent(
                kind=_KINDS[action],
                trace_id=one.trace_id,
                account=one.account,
                sender=one.return_path,
                recipient=one.recipient,
                detail=f"queue id {one.message_id}",
            )
        )
    return QueueResult(
        changed=outcome.changed,
        attempting=outcome.attempting,
        unchanged=outcome.unchanged,
        account_held=outcome.account_held,
        more=outcome.more,
    )


async def _account(
    connection: Connection, principal: Principal, wanted: QueueFilter, *, lift: bool = False
) -> int | None:
    if wanted.account is None:
        return None
    account = await find_account(connection, principal, wanted.account)
    if not principal.may_admin(account.domain_id):
        raise ApiProblem(404, "There is no such account, or it is not yours.")
    if lift and principal.outranked_by(account):
        raise ApiProblem(403, HIGHER_ROLE)
    return account.id


async def _message(connection: Connection, principal: Principal, message_id: int) -> QueuedMessage:
    message = await listing.message(connection, message_id, principal.administered())
    if message is None:
        raise ApiProblem(404, "There is no such message in the queue, or it is not yours.")
    return message


async def _header(api: ApiServices, principal: Principal, message: QueuedMessage) -> str:
    ref = BodyRef(message.body_account_id, message.body_id, b"", message.size)
    await write_down(
        api, principal, "mail.read", message.account or "", message.domain_id, {"queue_message": message.id}
    )
    head = await api.mailstore.read(ref, 0, min(_HEADER_OCTETS, message.size))
    return clean(split_header(head)[0].decode("utf-8", "replace"))
