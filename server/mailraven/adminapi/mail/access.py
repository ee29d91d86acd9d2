"""Whose mail a request may touch: everybody his own; that of others super-admins only, and it is written down."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from mailraven.adminapi.access import Principal, Role, Who, allow
from mailraven.adminapi.path_names import AccountAddress
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import Api, ApiServices
from mailraven.audit import Entry, write

MailboxId = Annotated[int, Path(ge=1, lt=2**63, description="Of the mailbox: names it for ever.")]
MessageUid = Annotated[int, Path(ge=1, le=4_294_967_295, description="Of the message in its mailbox.")]


def _owner(action: str) -> Callable[..., Awaitable[Principal]]:
    scope = f"mail:{action}"

    async def check(
        request: Request,
        address: AccountAddress,
        principal: Annotated[Principal, Depends(allow(scope, Who.ACCOUNT))],
        api: Api,
    ) -> Principal:
        account = principal.account
        if account.id == principal.account_id:
            return principal
        if principal.role is not Role.SUPER_ADMIN:
            raise ApiProblem(403, "Only the account itself and super-admins may see and change its mail.")
        what = {"method": request.method, "path": request.url.path}
        await write_down(api, principal, f"mail.{action}", account.address, account.domain_id, what)
        return principal

    return check


async def write_down(
    api: ApiServices, principal: Principal, action: str, address: str, domain_id: int | None, what: dict[str, Any]
) -> None:
    """That somebody looks into the mail of others: before he sees anything, each time, and not only counted."""
    by = principal
    entry = Entry(by.actor, by.ip, by.request_id, action, address, domain_id=domain_id, after=what)
    async with api.database.acquire() as connection:
        await write(connection, entry)


Reader = Annotated[Principal, Depends(_owner("read"))]
Writer = Annotated[Principal, Depends(_owner("write"))]
