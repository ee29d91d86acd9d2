"""/api/v1/domains: domains, the template of new ones, security settings."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from mailraven.adminapi import domain_actions
from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.locations import set_location
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.path_names import DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.directory.domain_listing import DomainFilter, show_domain, show_domains, show_template
from mailraven_api.domain import Domain, DomainCreate, DomainSpec, SecuritySettings

router = APIRouter(prefix="/api/v1/domains", tags=["domains"])

Reader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
Admin = Annotated[Principal, Depends(allow("domains:write", Who.DOMAIN))]
Super = Annotated[Principal, Depends(allow("domains:write", Who.SUPER))]


@router.get("", summary="List domains")
async def list_domains(
    api: Api,
    principal: Annotated[Principal, Depends(allow("domains:read", Who.ADMINS))],
    paging: Paging,
    q: Annotated[str, Query(max_length=255, description="Only names with this text in them.")] = "",
    status: Annotated[Literal["active", "suspended"] | None, Query(description="Only those.")] = None,
) -> Page[Domain]:
    """By name; a domain-admin sees his own."""
    wanted = DomainFilter(q, status, principal.administered())
    async with api.database.acquire() as connection:
        found = await show_domains(connection, wanted, after=paging.after, limit=paging.fetch)
    return paging.page(found, lambda domain: domain.name, lambda domain: domain)


@router.post("", status_code=201, summary="Make a domain", responses=problems(409))
async def create_domain(api: Api, principal: Super, body: DomainCreate, response: Response) -> Domain:
    """It gets a DKIM key at once, where the server has a master key. 409: the name is taken."""
    made = await domain_actions.create_domain(api, principal, body)
    set_etag(response, made.version)
    set_location(response, "/api/v1/domains", made.name)
    return made


@router.get("/_default", summary="Show the template of new domains")
async def get_template(
    api: Api, principal: Annotated[Principal, Depends(allow("domains:read", Who.SUPER))], response: Response
) -> Domain:
    """What a domain made now begins with. Its limits for each IP and token hold for the whole server."""
    async with api.database.acquire() as connection:
        found = await show_template(connection)
    set_etag(response, found.version)
    return found


@router.put("/_default", summary="Replace the template of new domains", responses=problems(412))
async def put_template(api: Api, principal: Super, body: DomainSpec, expected: IfMatch, response: Response) -> Domain:
    """Domains that exist keep the template that they were made with."""
    return _tagged(
        response, await domain_actions.write_template(api, principal, body, merging=False, expected=expected)
    )


@router.patch("/_default", summary="Change the template of new domains", responses=problems(412))
async def patch_template(api: Api, principal: Super, body: DomainSpec, expected: IfMatch, response: Response) -> Domain:
    """Fields that are left out stay."""
    return _tagged(response, await domain_actions.write_template(api, principal, body, merging=True, expected=expected))


@router.get("/{domain}", summary="Show a domain", responses=problems(404))
async def get_domain(api: Api, principal: Reader, domain: DomainName, response: Response) -> Domain:
    """With what holds for it, template included."""
    async with api.database.acquire() as connection:
        return _tagged(response, await show_domain(connection, principal.domain.id))


@router.put(
    "/{domain}",
    summary="Make a domain or replace its settings",
    responses={201: {"model": Domain, "description": "The domain is new."}, **problems(409, 412)},
)
async def put_domain(
    api: Api, principal: Super, domain: DomainName, body: DomainSpec, expected: IfMatch, response: Response
) -> Domain:
    """The same request again changes nothing. What is left out has the value of the domain's template. 409: it is
    another name of a domain, or one of its aliases is taken.
    """
    shown, made = await domain_actions.put_domain(api, principal, domain, body, expected)
    if made:
        response.status_code = 201
    return _tagged(response, shown)


@router.patch("/{domain}", summary="Change settings of a domain", responses=problems(404, 409, 412))
async def patch_domain(
    api: Api, principal: Admin, domain: DomainName, body: DomainSpec, expected: IfMatch, response: Response
) -> Domain:
    """Fields that are left out stay; objects are merged, lists replaced. A domain-admin cannot change status,
    max_users, aliases, limits and labels.
    """
    return _tagged(response, await domain_actions.patch_own_domain(api, principal, body, expected))


@router.delete("/{domain}", status_code=204, summary="Delete a domain", responses=problems(404, 409, 412))
async def delete_domain(
    api: Api,
    principal: Annotated[Principal, Depends(allow("domains:write", Who.SUPER))],
    domain: DomainName,
    expected: IfMatch,
) -> None:
    """With its aliases and keys. 409: it has accounts; delete those first."""
    await domain_actions.delete_domain(api, principal, domain, expected)


@router.get("/{domain}/security", summary="Show the security settings of a domain", responses=problems(404))
async def get_security(api: Api, principal: Reader, domain: DomainName, response: Response) -> SecuritySettings:
    """Those that hold, template included."""
    async with api.database.acquire() as connection:
        return _tagged(response, await show_domain(connection, principal.domain.id)).security


@router.put(
    "/{domain}/security", summary="Replace the security settings of a domain", responses=problems(404, 409, 412)
)
async def put_security(
    api: Api, principal: Admin, domain: DomainName, body: SecuritySettings, expected: IfMatch, response: Response
) -> SecuritySettings:
    """What is left out has the value of the domain's template."""
    document = body.model_dump(mode="json", exclude_unset=True)
    name = principal.domain.name
    return _tagged(response, await domain_actions.put_security(api, principal, name, document, expected)).security


def _tagged(response: Response, domain: Domain) -> Domain:
    set_etag(response, domain.version)
    return domain
