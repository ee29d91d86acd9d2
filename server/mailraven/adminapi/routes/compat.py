"""/api/domains and /api/users: the paths and bodies that guides for older servers print. The same actions and rights
as under /api/v1; a PUT here merges, lists are plain arrays, bodies may be flat.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from mailraven.adminapi import account_actions, domain_actions
from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.path_names import AccountAddress, DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.directory import normalize_domain, parse_address
from mailraven.directory.account_listing import AccountFilter, show_account, show_accounts
from mailraven.directory.domain_listing import DomainFilter, show_domain, show_domains, show_template
from mailraven_api.account import FlatAccount, FlatAccountCreate, FlatAccountPatch
from mailraven_api.domain import DomainCreate, DomainSpec, FlatDomain, SecuritySettings

router = APIRouter(prefix="/api", tags=["compatibility"])

_PAGE = 1000
Limit = Annotated[int, Query(ge=1, le=_PAGE, description="How many at most.")]
After = Annotated[
    str, Query(max_length=320, description="Only those after this name: the last one of the list before.")
]

DomainReader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
DomainAdmin = Annotated[Principal, Depends(allow("domains:write", Who.DOMAIN))]
Super = Annotated[Principal, Depends(allow("domains:write", Who.SUPER))]
SuperReader = Annotated[Principal, Depends(allow("domains:read", Who.SUPER))]
AccountReader = Annotated[Principal, Depends(allow("accounts:read", Who.ACCOUNT))]
AccountWriter = Annotated[Principal, Depends(allow("accounts:write", Who.ACCOUNT))]


@router.get("/domains", summary="List domains as an array")
async def list_flat_domains(
    api: Api,
    principal: Annotated[Principal, Depends(allow("domains:read", Who.ADMINS))],
    after: After = "",
    limit: Limit = _PAGE,
) -> list[FlatDomain]:
    """By name."""
    wanted = DomainFilter(ids=principal.administered())
    async with api.database.acquire() as connection:
        found = await show_domains(connection, wanted, after=after, limit=limit)
    return [FlatDomain.of(domain) for domain in found]


@router.post("/domains", status_code=201, summary="Make a domain", responses=problems(409))
async def create_flat_domain(api: Api, principal: Super, body: DomainCreate) -> FlatDomain:
    """From the template, unless `use_default_template` is false."""
    return FlatDomain.of(await domain_actions.create_domain(api, principal, body))


@router.get("/domains/_default", summary="Show the template of new domains")
async def get_flat_template(api: Api, principal: SuperReader) -> FlatDomain:
    """What a domain made now begins with."""
    async with api.database.acquire() as connection:
        return FlatDomain.of(await show_template(connection))


@router.put("/domains/_default", summary="Change the template of new domains")
async def put_flat_template(api: Api, principal: Super, body: DomainSpec) -> FlatDomain:
    """What is left out stays; domains that exist are not touched."""
    return FlatDomain.of(await domain_actions.write_template(api, principal, body, merging=True))


@router.put("/domains/_default/security", summary="Change the security settings of new domains")
async def put_flat_template_security(api: Api, principal: Super, body: SecuritySettings) -> FlatDomain:
    """What is left out stays; domains that exist are not touched."""
    return FlatDomain.of(await domain_actions.write_template(api, principal, _security(body), merging=True))


@router.get("/domains/{domain}", summary="Show a domain", responses=problems(404))
async def get_flat_domain(api: Api, principal: DomainReader, domain: DomainName) -> FlatDomain:
    """With the public key for its DKIM record as `dkim_public_key`."""
    async with api.database.acquire() as connection:
        return FlatDomain.of(await show_domain(connection, principal.domain.id))


@router.put("/domains/{domain}", summary="Change settings of a domain", responses=problems(404, 409))
async def put_flat_domain(api: Api, principal: DomainAdmin, domain: DomainName, body: DomainSpec) -> FlatDomain:
    """What is left out stays. A domain-admin cannot change what the operator of the server grants."""
    return FlatDomain.of(await domain_actions.patch_own_domain(api, principal, body))


@router.delete("/domains/{domain}", status_code=204, summary="Delete a domain", responses=problems(404, 409))
async def delete_flat_domain(api: Api, principal: Super, domain: DomainName) -> None:
    """409: it has accounts."""
    await domain_actions.delete_domain(api, principal, domain)


@router.get("/domains/{domain}/security", summary="Show the security settings of a domain", responses=problems(404))
async def get_flat_security(api: Api, principal: DomainReader, domain: DomainName) -> SecuritySettings:
    """Those that hold."""
    async with api.database.acquire() as connection:
        return (await show_domain(connection, principal.domain.id)).security


@router.put("/domains/{domain}/security", summary="Change security settings of a domain", responses=problems(404, 409))
async def put_flat_security(
    api: Api, principal: DomainAdmin, domain: DomainName, body: SecuritySettings
) -> SecuritySettings:
    """What is left out stays."""
    return (await domain_actions.patch_own_domain(api, principal, _security(body))).security


@router.get("/users", summary="List accounts as an array")
async def list_flat_users(
    api: Api,
    principal: Annotated[Principal, Depends(allow("accounts:read", Who.ADMINS))],
    domain: Annotated[str, Query(max_length=255, description="Only those of this domain.")] = "",
    after: After = "",
    limit: Limit = _PAGE,
) -> list[FlatAccount]:
    """By domain and address."""
    wanted = AccountFilter(normalize_domain(domain) if domain else None, domain_ids=principal.administered())
    last = str(parse_address(after)) if after else ""
    async with api.database.acquire() as connection:
        found = await show_accounts(connection, wanted, after=last, limit=limit)
    return [FlatAccount.of(account) for account in found]


@router.post("/users", status_code=201, summary="Make an account", responses=problems(404, 409))
async def create_flat_user(
    api: Api,
    principal: Annotated[Principal, Depends(allow("accounts:write", Who.ADMINS))],
    body: FlatAccountCreate,
) -> FlatAccount:
    """Usable at once."""
    return FlatAccount.of(await account_actions.create_account(api, principal, body))


@router.get("/users/{address}", summary="Show an account", responses=problems(404))
async def get_flat_user(api: Api, principal: AccountReader, address: AccountAddress) -> FlatAccount:
    """To its owner and its admins."""
    async with api.database.acquire() as connection:
        return FlatAccount.of(await show_account(connection, principal.account.id))


@router.put("/users/{address}", summary="Change settings of an account", responses=problems(404))
async def put_flat_user(
    api: Api, principal: AccountWriter, address: AccountAddress, body: FlatAccountPatch
) -> FlatAccount:
    """What is left out stays."""
    return FlatAccount.of(await account_actions.patch_account(api, principal, body, None))


@router.delete("/users/{address}", status_code=204, summary="Delete an account", responses=problems(404, 409))
async def delete_flat_user(
    api: Api,
    principal: AccountWriter,
    address: AccountAddress,
    delete_mail: Annotated[bool, Query(description="Also when it holds mail, with all of it.")] = False,
) -> None:
    """409: it holds mail, and its deletion was not asked for."""
    if not principal.may_admin(principal.account.domain_id):
        raise ApiProblem(403, "Only an admin deletes accounts.")
    await account_actions.delete_account(api, principal, delete_mail=delete_mail, expected=None)


def _security(body: SecuritySettings) -> DomainSpec:
    return DomainSpec.model_validate({"security": body.model_dump(mode="json", exclude_unset=True)})
