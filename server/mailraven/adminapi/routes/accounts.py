"""/api/v1/accounts: accounts, what they hold, where their mail is forwarded, the text while they are away."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from mailraven.adminapi import account_actions
from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.locations import set_location
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.path_names import AccountAddress
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.directory import normalize_domain
from mailraven.directory.account_listing import AccountFilter, show_account, show_accounts, show_usage
from mailraven_api.account import (
    Account,
    AccountCreate,
    AccountPatch,
    AccountPut,
    Forwarding,
    Role,
    Usage,
    Vacation,
)

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"])

Reader = Annotated[Principal, Depends(allow("accounts:read", Who.ACCOUNT))]
Writer = Annotated[Principal, Depends(allow("accounts:write", Who.ACCOUNT))]
Admin = Annotated[Principal, Depends(allow("accounts:write", Who.ADMINS))]


@router.get("", summary="List accounts")
async def list_accounts(
    api: Api,
    principal: Annotated[Principal, Depends(allow("accounts:read", Who.ADMINS))],
    paging: Paging,
    domain: Annotated[str, Query(max_length=255, description="Only those of this domain.")] = "",
    q: Annotated[str, Query(max_length=255, description="Only addresses and names with this text.")] = "",
    role: Annotated[Role | None, Query(description="Only those of this role.")] = None,
    suspended: Annotated[bool | None, Query(description="Only those that are suspended, or are not.")] = None,
) -> Page[Account]:
    """By domain and address; a domain-admin sees those of his domains."""
    name = normalize_domain(domain) if domain else None
    wanted = AccountFilter(name, q, role, suspended, principal.administered())
    async with api.database.acquire() as connection:
        found = await show_accounts(connection, wanted, after=paging.after, limit=paging.fetch)
    return paging.page(found, lambda account: account.address, lambda account: account)


@router.post("", status_code=201, summary="Make an account", responses=problems(404, 409))
async def create_account(api: Api, principal: Admin, body: AccountCreate, response: Response) -> Account:
    """With INBOX and the usual mailboxes; usable at once. 404: no such domain. 409: the address is taken, or the
    domain has all the accounts that it may have.
    """
    made = await account_actions.create_account(api, principal, body)
    set_location(response, "/api/v1/accounts", made.address)
    return _tagged(response, made)


@router.get("/{address}", summary="Show an account", responses=problems(404))
async def get_account(api: Api, principal: Reader, address: AccountAddress, response: Response) -> Account:
    """To its owner and its admins."""
    async with api.database.acquire() as connection:
        return _tagged(response, await show_account(connection, principal.account.id))


@router.put(
    "/{address}",
    summary="Make an account or replace its settings",
    responses={201: {"model": Account, "description": "The account is new."}, **problems(404, 409, 412)},
)
async def put_account(
    api: Api, principal: Admin, address: AccountAddress, body: AccountPut, expected: IfMatch, response: Response
) -> Account:
    """The same request again changes nothing, unless it has a password: that is hashed and set anew, which ends
    sessions. A quota that is left out stays as it is.
    """
    shown, made = await account_actions.put_account(api, principal, address, body, expected)
    if made:
        response.status_code = 201
    return _tagged(response, shown)


@router.patch("/{address}", summary="Change settings of an account", responses=problems(404, 412))
async def patch_account(
    api: Api, principal: Writer, address: AccountAddress, body: AccountPatch, expected: IfMatch, response: Response
) -> Account:
    """Fields that are left out stay; limits and labels are merged. Its owner may change display_name, forwarding and
    vacation.
    """
    return _tagged(response, await account_actions.patch_account(api, principal, body, expected))


@router.delete("/{address}", status_code=204, summary="Delete an account", responses=problems(404, 409, 412))
async def delete_account(
    api: Api,
    principal: Writer,
    address: AccountAddress,
    expected: IfMatch,
    delete_mail: Annotated[bool, Query(description="Also when it holds mail, with all of it.")] = False,
) -> None:
    """409: it holds mail, and its deletion was not asked for. With delete_mail the account is suspended first and
    then emptied; if that is cut short, the same request again goes on.
    """
    if not principal.may_admin(principal.account.domain_id):
        raise ApiProblem(403, "Only an admin deletes accounts.")
    await account_actions.delete_account(api, principal, delete_mail=delete_mail, expected=expected)


@router.get("/{address}/usage", summary="Show what an account holds", responses=problems(404))
async def get_usage(api: Api, principal: Reader, address: AccountAddress) -> Usage:
    """Octets and messages of each mailbox."""
    async with api.database.acquire() as connection:
        return await show_usage(connection, principal.account.id)


@router.put("/{address}/forwarding", summary="Forward mail of an account", responses=problems(404, 412))
async def put_forwarding(
    api: Api, principal: Writer, address: AccountAddress, body: Forwarding, expected: IfMatch, response: Response
) -> Account:
    """From the next message on."""
    patch = AccountPatch(forwarding=body)
    return _tagged(response, await account_actions.patch_account(api, principal, patch, expected))


@router.delete("/{address}/forwarding", summary="Forward mail of an account no more", responses=problems(404, 412))
async def delete_forwarding(
    api: Api, principal: Writer, address: AccountAddress, expected: IfMatch, response: Response
) -> Account:
    """It all goes to its mailbox."""
    patch = AccountPatch(forwarding=None)
    return _tagged(response, await account_actions.patch_account(api, principal, patch, expected))


@router.put("/{address}/vacation", summary="Set the text while somebody is away", responses=problems(404, 412))
async def put_vacation(
    api: Api, principal: Writer, address: AccountAddress, body: Vacation, expected: IfMatch, response: Response
) -> Account:
    """It is stored and shown only: this version sends no automatic answers."""
    patch = AccountPatch(vacation=body)
    return _tagged(response, await account_actions.patch_account(api, principal, patch, expected))


@router.delete("/{address}/vacation", summary="Remove the text while somebody is away", responses=problems(404, 412))
async def delete_vacation(
    api: Api, principal: Writer, address: AccountAddress, expected: IfMatch, response: Response
) -> Account:
    """Back again."""
    patch = AccountPatch(vacation=None)
    return _tagged(response, await account_actions.patch_account(api, principal, patch, expected))


def _tagged(response: Response, account: Account) -> Account:
    set_etag(response, account.version)
    return account
