"""/api/v1/domains/{domain}/aliases: other addresses of accounts, lists, the catch-all. /api/v1/aliases: all of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath

from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.path_names import DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.directory import Address, AddressError, NoSuchAlias, aliases, listing, parse_address
from mailraven.directory import Alias as Stored
from mailraven_api.alias import Alias, AliasCreate, AliasSpec

router = APIRouter(prefix="/api/v1/domains/{domain}/aliases", tags=["aliases"])
everywhere = APIRouter(prefix="/api/v1/aliases", tags=["aliases"])

Reader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
Admin = Annotated[Principal, Depends(allow("domains:write", Who.DOMAIN))]
Localpart = Annotated[
    str, InPath(max_length=320, description="What stands before the @, or the whole address. `*` is the catch-all.")
]


@everywhere.get("", summary="List the aliases of all domains")
async def list_all_aliases(
    api: Api, principal: Annotated[Principal, Depends(allow("domains:read", Who.ADMINS))], paging: Paging
) -> Page[Alias]:
    """By domain and localpart; a domain-admin sees those of his domains."""
    after, domains = paging.after, principal.administered()
    async with api.database.acquire() as connection:
        found = await listing.list_all_aliases(connection, domains, after=after, limit=paging.fetch)
    return paging.page(found, lambda alias: alias.address, _shown)


@router.get("", summary="List the aliases of a domain", responses=problems(404))
async def list_aliases(api: Api, principal: Reader, domain: DomainName, paging: Paging) -> Page[Alias]:
    """By localpart."""
    async with api.database.acquire() as connection:
        found = await listing.list_aliases(connection, principal.domain.name, after=paging.after, limit=paging.fetch)
    return paging.page(found, lambda alias: alias.address, _shown)


@router.post("", status_code=201, summary="Make an alias", responses=problems(404, 409))
async def create_alias(api: Api, principal: Admin, domain: DomainName, body: AliasCreate) -> Alias:
    """409: an account or an alias has the address."""
    address = aliases.alias_address(body.localpart, principal.domain.name)
    async with change(api, principal) as tx:
        made = await aliases.create_alias(tx.connection, str(address), body.targets)
        await tx.audit("alias.create", made.address, domain_id=principal.domain.id, after=_document(made))
    return _shown(made)


@router.get("/{localpart}", summary="Show an alias", responses=problems(404))
async def get_alias(api: Api, principal: Reader, domain: DomainName, localpart: Localpart) -> Alias:
    """With all its targets."""
    address = _address(localpart, principal.domain.name)
    async with api.database.acquire() as connection:
        found = await listing.find_alias(connection, address)
    if found is None:
        raise NoSuchAlias(f"no alias {address}")
    return _shown(found)


@router.put(
    "/{localpart}",
    summary="Make an alias or replace its targets",
    responses={201: {"model": Alias, "description": "The alias is new."}, **problems(404, 409)},
)
async def put_alias(
    api: Api, principal: Admin, domain: DomainName, localpart: Localpart, body: AliasSpec, response: Response
) -> Alias:
    """The same request again changes nothing. 409: an account has the address."""
    address = _address(localpart, principal.domain.name)
    async with change(api, principal) as tx:
        written = await aliases.put_alias(tx.connection, address, body.targets)
        before = None if written.before is None else _document(written.before)
        after = _document(written.alias)
        if before != after:
            action = "alias.create" if before is None else "alias.update"
            await tx.audit(action, str(address), domain_id=principal.domain.id, before=before, after=after)
    if before is None:
        response.status_code = 201
    return _shown(written.alias)


@router.delete("/{localpart}", status_code=204, summary="Delete an alias", responses=problems(404))
async def delete_alias(api: Api, principal: Admin, domain: DomainName, localpart: Localpart) -> None:
    """With all its targets."""
    address = _address(localpart, principal.domain.name)
    async with change(api, principal) as tx:
        gone = await aliases.delete_alias(tx.connection, address)
        await tx.audit("alias.delete", gone.address, domain_id=principal.domain.id, before=_document(gone))


def _address(text: str, domain: str) -> Address:
    """From a localpart without quotes, or the whole address. Raises AddressError."""
    if "@" in text:
        address = parse_address(text).canonical
        if address.domain != domain:
            raise AddressError(f"{address} is no address of {domain}")
        return address
    return aliases.alias_address(text, domain)


def _document(alias: Stored) -> dict[str, list[str]]:
    return {"targets": sorted(alias.targets)}


def _shown(alias: Stored) -> Alias:
    return Alias(address=alias.address, localpart=parse_address(alias.address).localpart, targets=alias.targets)
