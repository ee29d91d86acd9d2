"""Mailboxes of an account (RFC 9051 §6.3), the same that IMAP shows."""

from typing import Annotated

from fastapi import APIRouter, Query

from mailraven.adminapi.access import Principal
from mailraven.adminapi.mail.access import MailboxId, Reader, Writer
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api, ApiServices
from mailraven.mailstore import MailboxInfo
from mailraven_api.mailbox import Emptied, Mailbox, MailboxCreate, Mailboxes, MailboxPatch

router = APIRouter(prefix="/api/v1/accounts/{address}/mailboxes", tags=["mail"])


@router.get("", summary="List mailboxes", responses=problems(404))
async def list_mailboxes(api: Api, principal: Reader) -> Mailboxes:
    """All mailboxes of the account by name, with their counters."""
    account = principal.account.id
    boxes = await api.mailstore.list_mailboxes(account)
    subscribed = set(await api.mailstore.subscriptions(account))
    used, quota = await api.mailstore.usage(account)
    items = tuple(_shown(box, subscribed=box.name in subscribed) for box in boxes)
    return Mailboxes(items=items, used_bytes=used, quota_bytes=quota)


@router.post("", status_code=201, summary="Create a mailbox", responses=problems(404, 409))
async def create_mailbox(api: Api, principal: Writer, body: MailboxCreate) -> Mailbox:
    """Make a mailbox, and the parents that it lacks."""
    account = principal.account.id
    if body.special_use is not None:
        boxes = await api.mailstore.list_mailboxes(account)
        if any(box.special_use == body.special_use for box in boxes):
            raise ApiProblem(409, f"Another mailbox is for {body.special_use} already.")
    box = await api.mailstore.create(account, body.name, body.special_use)
    if body.subscribed:
        await api.mailstore.subscribe(account, box.name)
    return await _mailbox(api, principal, box.id)


@router.get("/{mailbox_id}", summary="Show a mailbox", responses=problems(404))
async def show_mailbox(api: Api, principal: Reader, mailbox_id: MailboxId) -> Mailbox:
    """One mailbox with its counters at this moment."""
    return await _mailbox(api, principal, mailbox_id)


@router.patch("/{mailbox_id}", summary="Rename or subscribe a mailbox", responses=problems(404, 409))
async def change_mailbox(api: Api, principal: Writer, mailbox_id: MailboxId, body: MailboxPatch) -> Mailbox:
    """Rename it with its children, subscribe or unsubscribe. Renaming INBOX moves its messages (RFC 9051 §6.3.6)."""
    account = principal.account.id
    box = await api.mailstore.mailbox_by_id(account, mailbox_id)
    name = box.name
    if body.name is not None and body.name != box.name:
        await api.mailstore.rename(account, box.name, body.name, box.id)
        name = (await api.mailstore.mailbox_by_id(account, mailbox_id)).name
    if body.subscribed is True:
        await api.mailstore.subscribe(account, name)
    elif body.subscribed is False:
        await api.mailstore.unsubscribe(account, name)
    return await _mailbox(api, principal, mailbox_id)


@router.delete("/{mailbox_id}", status_code=204, summary="Delete a mailbox", responses=problems(404, 409))
async def delete_mailbox(api: Api, principal: Writer, mailbox_id: MailboxId) -> None:
    """Delete it with its messages, for good; its children stay. INBOX cannot be deleted."""
    account = principal.account.id
    box = await api.mailstore.mailbox_by_id(account, mailbox_id)
    await api.mailstore.delete(account, box.name, box.id)
    await api.mailstore.unsubscribe(account, box.name)


@router.post("/{mailbox_id}/empty", summary="Empty a mailbox", responses=problems(404))
async def empty_mailbox(
    api: Api,
    principal: Writer,
    mailbox_id: MailboxId,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Messages at most, the oldest first.")] = 10_000,
) -> Emptied:
    """Remove its messages for good. As long as `left` is not 0, ask again."""
    removed = await api.mailstore.remove_oldest(principal.account.id, mailbox_id, limit)
    box = await api.mailstore.mailbox_by_id(principal.account.id, mailbox_id)
    return Emptied(removed=len(removed), left=box.messages)


async def _mailbox(api: ApiServices, principal: Principal, mailbox_id: int) -> Mailbox:
    box = await api.mailstore.mailbox_by_id(principal.account.id, mailbox_id)
    subscribed = box.name in await api.mailstore.subscriptions(principal.account.id)
    return _shown(box, subscribed=subscribed)


def _shown(box: MailboxInfo, *, subscribed: bool) -> Mailbox:
    return Mailbox.model_validate(
        {
            "id": box.id,
            "name": box.name,
            "special_use": box.special_use,
            "subscribed": subscribed,
            "uidvalidity": box.uidvalidity,
            "uidnext": box.uidnext,
            "highestmodseq": box.modseq,
            "messages": box.messages,
            "unseen": box.unseen,
            "deleted": box.deleted,
            "bytes": box.bytes,
            "keywords": box.keywords,
        }
    )
