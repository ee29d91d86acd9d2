"""/api/v1/trace: "where is my mail" - what happened to a message, from the connection to the mailbox or the reply."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from mailraven import trace
from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.paging import Page, PageRequest, Paging, encode_cursor
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import Api
from mailraven_api.trace import Trace, TraceEvent

router = APIRouter(prefix="/api/v1/trace", tags=["trace"])

_KEPT = timedelta(days=30)
_WITHOUT_KEY = timedelta(days=1)
_LATELY = timedelta(hours=1)


@router.get("", summary="Find what happened to mail")
async def find_trace(
    api: Api,
    principal: Annotated[Principal, Depends(allow("trace:read", Who.ANYONE))],
    paging: Paging,
    message_id: Annotated[str, Query(max_length=998, description="Of the header, with or without `<>`.")] = "",
    address: Annotated[str, Query(max_length=320, description="Of the sender or of a recipient.")] = "",
    trace_id: Annotated[str, Query(max_length=255, description="As in the log and in the reply to DATA.")] = "",
    since: Annotated[AwareDatetime | None, Query(description="Events from then on; kept are 30 days.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Events before then.")] = None,
) -> Page[Trace]:
    """Message by message, the newest first; what is given has to fit all together. A super-admin sees everything, a
    domain-admin what is from or to an address of his domains, a user what belongs to his account. What happened a
    moment ago may take a second to appear. Without a Message-ID, address or trace id it is the last hour, or the time
    from `since` to `until`, a day at most.
    """
    query = _query(message_id, address, trace_id, since, until)
    async with api.database.acquire() as connection:
        found, following = await trace.find(
            connection, query, _scope(principal), limit=paging.limit, after=_after(paging)
        )
    cursor = encode_cursor(f"{following[0].isoformat()} {following[1]}") if following is not None else None
    return Page(items=[_show(one) for one in found], next=cursor)


def _scope(principal: Principal) -> trace.Scope:
    domains = principal.administered()
    return trace.Scope(everything=domains is None, domain_ids=tuple(domains or ()), account=principal.account_id or 0)


def _query(message_id: str, address: str, trace_id: str, since: datetime | None, until: datetime | None) -> trace.Query:
    now = datetime.now(UTC)
    end = _within(until or now, now)
    has_key = bool(message_id or address or trace_id)
    begin = _within(since or (now - _KEPT if has_key else end - _LATELY), now)
    if not has_key and end - begin > _WITHOUT_KEY:
        raise ApiProblem(
            422,
            "Without message_id, address or trace_id a search goes over a day at most.",
            errors=[("/since", "more than a day before until")],
        )
    # What is written while we look belongs to "until now"; the clocks of processes differ.
    return trace.Query(begin, end if until else end + _LATELY, message_id, address, trace_id)


def _within(moment: datetime, now: datetime) -> datetime:
    """Nothing is outside of this, and the database's own calendar ends earlier than a client's."""
    try:
        return min(max(moment.astimezone(UTC), now - _KEPT - _WITHOUT_KEY), now + _WITHOUT_KEY)
    except OverflowError:
        return now + _WITHOUT_KEY if moment.year > now.year else now - _KEPT


def _after(paging: PageRequest) -> tuple[datetime, str] | None:
    if not paging.after:
        return None
    at, _, trace_id = paging.after.partition(" ")
    try:
        moment = datetime.fromisoformat(at)
        return moment.astimezone(UTC), trace_id
    except (ValueError, OverflowError):
        raise ApiProblem(422, "The cursor is not one of this server's.", errors=[("/cursor", "not a cursor")]) from None


def _show(found: trace.Trace) -> Trace:
    events = found.events
    return Trace(
        trace_id=found.trace_id,
        message_id=next((one.message_id for one in events if one.message_id), ""),
        sender=next((one.sender for one in events if one.sender), ""),
        started_at=events[0].at if events else found.last,
        events=tuple(
            TraceEvent(
                at=one.at,
                kind=one.kind.value,
                sender=one.sender,
                recipient=one.recipient,
                peer=one.peer,
                detail=one.detail,
                line=trace.line(one),
            )
            for one in events
        ),
    )
