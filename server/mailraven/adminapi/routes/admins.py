"""/api/v1/admins: who administers which domains."""

from typing import Annotated

from fastapi import APIRouter, Depends

from mailraven.adminapi.access import Principal, Role, Who, allow, change, find_account
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.directory import admins
from mailraven_api.admin import Admin, AdminPut

router = APIRouter(prefix="/api/v1/admins", tags=["admins"])

Reader = Annotated[Principal, Depends(allow("accounts:read", Who.SUPER))]
Writer = Annotated[Principal, Depends(allow("accounts:write", Who.SUPER))]


@router.get("", summary="List admins")
async def list_admins(api: Api, _: Reader, paging: Paging) -> Page[Admin]:
    """Accounts with rights over domains or the whole server, by address."""
    after = paging.after
    async with api.database.acquire() as connection:
        found = await admins.list_admins(connection, after=after, limit=paging.fetch)
    return paging.page(found, lambda admin: admin.key, _shown)


@router.get("/{address}", summary="Show an admin", responses=problems(404))
async def get_admin(api: Api, principal: Reader, address: str) -> Admin:
    """404: the account has no rights over anything but itself."""
    async with api.database.acquire() as connection:
        account = await find_account(connection, principal, address)
        found = await admins.get_admin(connection, account.id)
    if found is None:
        raise ApiProblem(404, "The account is no admin.")
    return _shown(found)


@router.put("/{address}", summary="Make an account an admin", responses=problems(404))
async def put_admin(api: Api, principal: Writer, address: str, body: AdminPut) -> Admin:
    """Or change what it administers; rights that are not named are taken. 404: no such account or domain."""
    async with change(api, principal) as tx:
        account = await find_account(tx.connection, principal, address)
        before = await admins.get_admin(tx.connection, account.id)
        await admins.set_role(tx.connection, account.id, Role(body.role), body.domains)
        after = await admins.get_admin(tx.connection, account.id)
        if after is None:
            raise LookupError("an admin was made and is not there")
        await tx.audit(
            "admin.grant",
            account.address,
            domain_id=account.domain_id,
            before=_described(before),
            after=_described(after),
        )
    return _shown(after)


@router.delete("/{address}", status_code=204, summary="Take an admin's rights", responses=problems(404))
async def delete_admin(api: Api, principal: Writer, address: str) -> None:
    """The account stays, as a plain user."""
    async with change(api, principal) as tx:
        account = await find_account(tx.connection, principal, address)
        before = await admins.get_admin(tx.connection, account.id)
        if before is None:
            raise ApiProblem(404, "The account is no admin.")
        await admins.set_role(tx.connection, account.id, Role.USER, ())
        await tx.audit(
            "admin.revoke",
            account.address,
            domain_id=account.domain_id,
            before=_described(before),
            after=_described(None),
        )


def _shown(found: admins.Admin) -> Admin:
    return Admin.model_validate(
        {
            "address": found.address,
            "role": found.role.value,
            "domains": found.domains,
            "totp": found.totp,
            "suspended": found.suspended,
        }
    )


def _described(found: admins.Admin | None) -> dict[str, object]:
    return {
        "role": Role.USER.value if found is None else found.role.value,
        "domains": [] if found is None else list(found.domains),
    }
