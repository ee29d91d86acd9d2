"""One message: parsed, as it came in, or one of its parts (RFC 9051 §6.4.5)."""

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.responses import StreamingResponse

from mailraven.adminapi.access import Principal
from mailraven.adminapi.etag import set_etag
from mailraven.adminapi.mail import downloads, flags
from mailraven.adminapi.mail.access import MailboxId, MessageUid, Reader
from mailraven.adminapi.mail.listing import one
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api, ApiServices
from mailraven.mailstore import Listed, Listing
from mailraven_api.message import Message

router = APIRouter(prefix="/api/v1/accounts/{address}/mailboxes/{mailbox_id}/messages/{uid}", tags=["mail"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_RAW: dict[int | str, dict[str, Any]] = {200: {"description": "The message.", "content": {"message/rfc822": _BINARY}}}
_PART: dict[int | str, dict[str, Any]] = {200: {"description": "The part, decoded.", "content": {"*/*": _BINARY}}}
Section = Annotated[
    str,
    Path(pattern=r"^[1-9][0-9]{0,4}(\.[1-9][0-9]{0,4}){0,31}$", description='Number of the part, such as "1.2".'),
]


@router.get("", summary="Read a message", responses=problems(404))
async def read_message(
    api: Api, response: Response, principal: Reader, mailbox_id: MailboxId, uid: MessageUid
) -> Message:
    """Fields, texts and the list of parts, decoded. It changes no flag. All of it is data from a stranger."""
    listing, listed = await _find(api, principal, mailbox_id, uid)
    content = await downloads.parsed(api.mailstore, api.mail_memory, listed.items.body)
    names = flags.names(listing.keywords, listed.flags)
    set_etag(response, listed.modseq)
    return Message.model_construct(
        uid=uid,
        uidvalidity=listing.uidvalidity,
        mailbox_id=mailbox_id,
        flags=names.flags,
        keywords=names.keywords,
        modseq=listed.modseq,
        size=listed.items.size,
        internal_date=listed.items.internal_date.astimezone(UTC),
        **{name: getattr(content, name) for name in content.__slots__},
    )


@router.get("/raw", summary="Download a message", response_class=StreamingResponse, responses=_RAW | problems(404))
async def download_message(api: Api, principal: Reader, mailbox_id: MailboxId, uid: MessageUid) -> StreamingResponse:
    """The message octet for octet, as a file."""
    _, listed = await _find(api, principal, mailbox_id, uid)
    return await downloads.raw_message(api.mailstore, listed.items.body, f"message-{uid}.eml")


@router.get(
    "/parts/{section}", summary="Download a part", response_class=StreamingResponse, responses=_PART | problems(404)
)
async def download_part(
    api: Api, principal: Reader, mailbox_id: MailboxId, uid: MessageUid, section: Section
) -> StreamingResponse:
    """A part decoded, as a file. Types that a browser might run are sent as application/octet-stream."""
    _, listed = await _find(api, principal, mailbox_id, uid)
    ref = listed.items.body
    place = await downloads.find_part(api.mailstore, api.mail_memory, ref, section)
    if place is None:
        raise ApiProblem(404, "The message has no such part.")
    return await downloads.part(api.mailstore, ref, place, f"part-{section}")


async def _find(api: ApiServices, principal: Principal, mailbox_id: int, uid: int) -> tuple[Listing, Listed]:
    listing, listed = await one(api.mailstore, principal.account.id, mailbox_id, uid)
    if listed is None:
        raise ApiProblem(404, "There is no such message.")
    return listing, listed
