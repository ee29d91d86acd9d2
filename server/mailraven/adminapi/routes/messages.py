"""Messages of a mailbox: list and search, upload, flags, copy, move, delete (RFC 9051 §6.4, §6.3.12)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from mailraven.adminapi.access import Principal
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.mail import flags, memory, special
from mailraven.adminapi.mail.access import MailboxId, MessageUid, Reader, Writer
from mailraven.adminapi.mail.listing import find_page
from mailraven.adminapi.mail.queries import MessageQuery, Sort
from mailraven.adminapi.mail.sending import max_message_size
from mailraven.adminapi.mail.submitting import canonical
from mailraven.adminapi.mail.summaries import summarize
from mailraven.adminapi.paging import Paging
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api, ApiServices
from mailraven.mailstore import Copied, NoSuchMailbox, Upload
from mailraven_api.message import (
    Deleted,
    Deletion,
    FlagChange,
    FlagChanges,
    FlagName,
    FlagsChanged,
    MessageFlags,
    MessagePage,
    Transfer,
    Transferred,
    Transfers,
    Uploaded,
)

router = APIRouter(prefix="/api/v1/accounts/{address}/mailboxes/{mailbox_id}/messages", tags=["mail"])
RAW = "message/rfc822"
_UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "The message as it is. Lines that end in CR or LF alone get CRLF.",
        "content": {RAW: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", summary="List and search messages", responses=problems(404))
async def list_messages(
    api: Api,
    principal: Reader,
    mailbox_id: MailboxId,
    query: MessageQuery,
    page: Paging,
    sort: Sort = "newest",
    preview: Annotated[bool, Query(description="With the start of each text.")] = True,
) -> MessagePage:
    """Newest first, page by page. All filters that are given have to fit; texts are literal, in any case."""
    found = await find_page(api.mailstore, principal.account.id, mailbox_id, query, page, newest=sort == "newest")
    items = await summarize(api.mailstore, found.listing, previews=preview)
    return MessagePage.model_construct(
        items=tuple(items),
        next=found.next,
        uidvalidity=found.listing.uidvalidity,
        highestmodseq=found.listing.modseq,
    )


@router.post("", status_code=201, summary="Upload a message", responses=problems(404, 408, 409), openapi_extra=_UPLOAD)
async def upload_message(
    request: Request,
    api: Api,
    principal: Writer,
    mailbox_id: MailboxId,
    flag: Annotated[
        list[FlagName] | None, Query(max_length=64, description="A flag or keyword it has; may be repeated.")
    ] = None,
    internal_date: Annotated[
        datetime | None, Query(description="When it came, with its offset from UTC; left out: now.")
    ] = None,
) -> Uploaded:
    """Put a message into the mailbox as IMAP's APPEND does; nothing is sent."""
    check_raw(request)
    if internal_date is not None and (internal_date.tzinfo is None or not 1900 <= internal_date.year <= 9990):
        raise ApiProblem(422, "Not valid: /internal_date: a date with its offset from UTC is needed.")
    await api.mailstore.mailbox_by_id(principal.account.id, mailbox_id)  # before all those octets
    system, keywords = flags.split(flag or ())
    async with memory.body(request, api.mail_memory, max_message_size(api), copies=2) as octets:
        upload = Upload(canonical(octets), system, keywords, internal_date)
        appended = await api.mailstore.append(principal.account.id, mailbox_id, [upload])
    return Uploaded(mailbox_id=mailbox_id, uidvalidity=appended.uidvalidity, uid=appended.uids[0])


@router.patch("", summary="Change flags of messages", responses=problems(404))
async def change_flags(api: Api, principal: Writer, mailbox_id: MailboxId, body: FlagChanges) -> FlagsChanged:
    """All of them in one transaction. What `unchanged_since` keeps from being changed is listed as a conflict."""
    return await _change_flags(api, principal, mailbox_id, sorted(set(body.uids)), body, body.unchanged_since)


@router.patch("/{uid}", summary="Change flags of a message", responses=problems(404, 412))
async def change_flags_of_one(
    api: Api,
    response: Response,
    principal: Writer,
    mailbox_id: MailboxId,
    uid: MessageUid,
    body: FlagChange,
    expected: IfMatch,
) -> MessageFlags:
    """With If-Match or `unchanged_since` only if nobody changed them meanwhile: else 412."""
    since = body.unchanged_since if expected is None else expected
    changed = await _change_flags(api, principal, mailbox_id, [uid], body, since)
    if changed.missing:
        raise _no_message()
    if changed.conflicts:
        raise ApiProblem(412, "The flags were changed meanwhile.", modseq=changed.items[0].modseq)
    set_etag(response, changed.items[0].modseq)
    return changed.items[0]


@router.post("/copy", summary="Copy messages", responses=problems(404))
async def copy_messages(api: Api, principal: Writer, mailbox_id: MailboxId, body: Transfer) -> Transfers:
    """All or nothing; what is not there is listed as missing. Flags and dates are copied too."""
    return await _transfer(api, principal, mailbox_id, body.uids, body.mailbox_id, move=False)


@router.post("/move", summary="Move messages", responses=problems(404))
async def move_messages(api: Api, principal: Writer, mailbox_id: MailboxId, body: Transfer) -> Transfers:
    """All or nothing, in one transaction: at no moment a message is in both mailboxes, or in none."""
    return await _transfer(api, principal, mailbox_id, body.uids, body.mailbox_id, move=True)


@router.post("/delete", summary="Delete messages", responses=problems(404, 409))
async def delete_messages(api: Api, principal: Writer, mailbox_id: MailboxId, body: Deletion) -> Deleted:
    """To Trash, or for good: exactly these messages, whatever else has the flag \\Deleted."""
    uids = sorted(set(body.uids))
    if body.permanently:
        removed = await api.mailstore.remove(principal.account.id, mailbox_id, uids)
        gone = set(removed)
        return Deleted(removed=tuple(removed), moved=None, missing=tuple(uid for uid in uids if uid not in gone))
    await api.mailstore.mailbox_by_id(principal.account.id, mailbox_id)
    trash = await special.trash(api.mailstore, principal.account.id)
    if trash.id == mailbox_id:
        raise ApiProblem(409, 'The messages are in Trash already; say "permanently": true to remove them.')
    moved = await _transfer(api, principal, mailbox_id, uids, trash.id, move=True)
    return Deleted(removed=tuple(item.uid for item in moved.items), moved=moved, missing=moved.missing)


@router.delete("/{uid}", summary="Delete a message", responses=problems(404, 409))
async def delete_message(
    api: Api,
    principal: Writer,
    mailbox_id: MailboxId,
    uid: MessageUid,
    permanently: Annotated[bool, Query(description="Not to Trash, but for good.")] = False,
) -> Deleted:
    """To Trash, or for good."""
    deleted = await delete_messages(api, principal, mailbox_id, Deletion(uids=(uid,), permanently=permanently))
    if deleted.missing:
        raise _no_message()
    return deleted


def check_raw(request: Request) -> None:
    """Raises ApiProblem 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != RAW:
        raise ApiProblem(415, f"The body has to be {RAW}.")


async def _change_flags(
    api: ApiServices, principal: Principal, mailbox_id: int, uids: list[int], body: FlagChange, since: int | None
) -> FlagsChanged:
    account = principal.account.id
    less = flags.split(body.remove)
    if body.replace is not None:
        mask, keywords = flags.split(body.replace)
        stored = await api.mailstore.store(account, mailbox_id, uids, "replace", mask, keywords, since)
    else:
        mask, keywords = flags.split(body.add)
        stored = await api.mailstore.store(account, mailbox_id, uids, "add", mask, keywords, since, less)
    now = await api.mailstore.flags(account, mailbox_id, uids)
    there = {row.uid for row in now.rows}
    items = []
    for row in now.rows:
        names = flags.names(now.keywords, row.flags)
        items.append(MessageFlags(uid=row.uid, flags=names.flags, keywords=names.keywords, modseq=row.modseq))
    return FlagsChanged(
        uidvalidity=now.uidvalidity,
        items=tuple(items),
        conflicts=tuple(uid for uid in stored.failed if uid in there),
        missing=tuple(uid for uid in uids if uid not in there),
    )


async def _transfer(
    api: ApiServices,
    principal: Principal,
    mailbox_id: int,
    uids: Sequence[int],
    target: int,
    *,
    move: bool,
) -> Transfers:
    account, wanted = principal.account.id, sorted(set(uids))
    await api.mailstore.mailbox_by_id(account, mailbox_id)  # 404; of the target it would be 422
    act = api.mailstore.move if move else api.mailstore.copy
    try:
        copied: Copied = await act(account, mailbox_id, wanted, account, target)
    except NoSuchMailbox:
        raise ApiProblem(422, "There is no mailbox to put them into.", errors=[("/mailbox_id", "no mailbox")]) from None
    pairs = zip(copied.source, copied.target, strict=True)
    done = set(copied.source)
    return Transfers(
        mailbox_id=target,
        uidvalidity=copied.uidvalidity,
        items=tuple(Transferred(uid=uid, new_uid=new) for uid, new in pairs),
        missing=tuple(uid for uid in wanted if uid not in done),
    )


def _no_message() -> ApiProblem:
    return ApiProblem(404, "There is no such message.")
