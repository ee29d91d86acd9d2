"""Sending a message through the API: the limits and checks of submission (RFC 6409)."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from mailraven.adminapi.access import Principal
from mailraven.adminapi.mail import memory, sending, submitting
from mailraven.adminapi.mail.access import Writer
from mailraven.adminapi.mail.requests import Key
from mailraven.adminapi.problems import problems
from mailraven.adminapi.routes.messages import RAW, check_raw
from mailraven.adminapi.services import Api
from mailraven_api.message import Send, Sent

router = APIRouter(prefix="/api/v1/accounts/{address}/send", tags=["mail"])
_RAW_BODY = {
    "requestBody": {
        "required": True,
        "description": "The message. Date and Message-ID are added where they are missing, Bcc is taken out.",
        "content": {RAW: {"schema": {"type": "string", "format": "binary"}}},
    }
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="The same key with the same request sends nothing again for 24 hours: it gets the first answer.",
    ),
]


@router.post("", status_code=202, summary="Send a message", responses=problems(404, 409))
async def send_message(
    request: Request, api: Api, principal: Writer, body: Send, idempotency_key: IdempotencyKey = None
) -> Sent:
    """Make a message and send it. Either all recipients are accepted, or nothing is sent: 422 with `recipients`."""
    key = _key(principal, idempotency_key, b"json", await request.body())
    if key is not None and (known := await sending.remembered(api, key)) is not None:
        return known
    submission = submitting.of_json(body, sending.stamp(api))
    return await sending.send(api, _sender(principal), submission, save=body.save_to_sent, key=key)


@router.post(
    "/raw", status_code=202, summary="Send a raw message", responses=problems(404, 408, 409), openapi_extra=_RAW_BODY
)
async def send_raw_message(
    request: Request,
    api: Api,
    principal: Writer,
    idempotency_key: IdempotencyKey = None,
    recipient: Annotated[
        list[Annotated[str, Query(max_length=320)]] | None,
        Query(max_length=1000, description="Who gets it, may be repeated; left out: who is in To, Cc and Bcc."),
    ] = None,
    save_to_sent: Annotated[bool, Query(description="Keep a copy in the mailbox that is for sent mail.")] = True,
) -> Sent:
    """Send a message as it is. Its From has to be the account's."""
    check_raw(request)
    async with memory.body(request, api.mail_memory, sending.max_message_size(api), copies=3) as octets:
        key = _key(principal, idempotency_key, request.scope["query_string"], octets)
        if key is not None and (known := await sending.remembered(api, key)) is not None:
            return known
        most = api.config.smtp.max_recipients
        submission = submitting.of_raw(octets, sending.stamp(api), recipient or (), most)
        return await sending.send(api, _sender(principal), submission, save=save_to_sent, key=key)


def _key(principal: Principal, text: str | None, *request: bytes) -> Key | None:
    if text is None:
        return None
    fingerprint = hashlib.sha256(b"\0".join(request)).digest()
    return Key(principal.account.id, text, fingerprint)


def _sender(principal: Principal) -> sending.Sender:
    account = principal.account
    return sending.Sender(account.id, account.domain_id, account.address, principal.ip, principal.request_id)
