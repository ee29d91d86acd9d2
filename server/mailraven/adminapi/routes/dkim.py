"""/api/v1/domains/{domain}/dkim: keys that sign the domain's mail, from the making to the end."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath

from mailraven import dkim
from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.path_names import DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.routes.dns import shown_record
from mailraven.adminapi.services import Api, ApiServices
from mailraven.directory import domain_specs
from mailraven.dns import DnsError, NameNotFound, Resolver
from mailraven.dns.compare import judge_key
from mailraven.dns.records import Record, dkim_record
from mailraven.sealing import NoMasterKey
from mailraven_api.dkim import DkimKey, DkimKeyCreate, DkimKeys, Selector
from mailraven_api.domain import DkimSettings

router = APIRouter(prefix="/api/v1/domains/{domain}/dkim", tags=["dkim"])

Reader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
Admin = Annotated[Principal, Depends(allow("domains:write", Who.DOMAIN))]
KeyName = Annotated[Selector, InPath(description="The selector of the key.")]
_LOOKUP_SECONDS = 5.0


@router.get("", summary="List the DKIM keys of a domain", responses=problems(404))
async def list_dkim_keys(api: Api, principal: Reader, domain: DomainName) -> DkimKeys:
    """Oldest first, at most 32."""
    async with api.database.acquire() as connection:
        keys = await dkim.list_keys(connection, principal.domain.id)
    return _all(keys, principal)


@router.post("", status_code=201, summary="Make a DKIM key", responses=problems(404, 409))
async def create_dkim_key(api: Api, principal: Admin, domain: DomainName, body: DkimKeyCreate) -> DkimKey:
    """It is pending: publish its record, then activate it. 409: the selector is taken, there are 32 keys, or the
    server has no master key.
    """
    settings, keys = await _state(api, principal)
    dkim.check_room(keys)
    pair = await dkim.generate_key(body.algorithm, body.key_size or settings.key_size)
    async with change(api, principal) as tx:
        key = await dkim.create_key(tx.connection, api.sealer, principal.domain.id, pair, selector=body.selector)
        await tx.audit("dkim.create", _target(key, principal), domain_id=principal.domain.id, after=_audited(key))
    return _shown(key, principal)


@router.post("/rotate", summary="Begin a rotation of the DKIM keys", responses=problems(404, 409))
async def rotate_dkim_keys(api: Api, principal: Admin, domain: DomainName) -> DkimKeys:
    """A pending key of each kind that the domain's settings ask for; one that waits already is answered as it is.
    Publish the records, then activate the keys: that retires those before.
    """
    settings, keys = await _state(api, principal)
    fresh = [await dkim.generate_key(*kind) for kind in dkim.lacking_for_rotation(keys, settings)]
    async with change(api, principal) as tx:
        known = {key.selector for key in await dkim.list_keys(tx.connection, principal.domain.id)}
        keys = await dkim.rotate_keys(tx.connection, api.sealer, principal.domain.id, settings, fresh=fresh)
        for key in keys:
            if key.selector not in known:
                target = _target(key, principal)
                await tx.audit("dkim.create", target, domain_id=principal.domain.id, after=_audited(key))
    return _all(keys, principal)


@router.get("/{selector}", summary="Show a DKIM key and its DNS record", responses=problems(404))
async def get_dkim_key(api: Api, principal: Reader, domain: DomainName, selector: KeyName) -> DkimKey:
    """Without its private part."""
    async with api.database.acquire() as connection:
        return _shown(await dkim.get_key(connection, principal.domain.id, selector), principal)


@router.post("/{selector}/activate", summary="Let a DKIM key sign", responses=problems(404, 409))
async def activate_dkim_key(
    api: Api,
    principal: Admin,
    domain: DomainName,
    selector: KeyName,
    force: Annotated[bool, Query(description="Even if its record cannot be found in the DNS.")] = False,
) -> DkimKey:
    """The key before of the same algorithm is retired. 409: the record is not published yet, so nobody could verify
    the signatures. A key that is active stays so.
    """
    async with api.database.acquire() as connection:
        before = await dkim.get_key(connection, principal.domain.id, selector)
    if before.state != "active" and not force:
        await _check_published(api, _record(before, principal))
    async with change(api, principal) as tx:
        before = await dkim.get_key(tx.connection, principal.domain.id, selector)
        key = await dkim.activate_key(tx.connection, principal.domain.id, selector)
        await _audit(tx, "dkim.activate", principal, before, key)
    return _shown(key, principal)


@router.post("/{selector}/retire", summary="Let a DKIM key sign no more", responses=problems(404, 409))
async def retire_dkim_key(api: Api, principal: Admin, domain: DomainName, selector: KeyName) -> DkimKey:
    """Its record has to stay for a week. 409: it is the only key that signs."""
    async with change(api, principal) as tx:
        before = await dkim.get_key(tx.connection, principal.domain.id, selector)
        key = await dkim.retire_key(tx.connection, principal.domain.id, selector)
        await _audit(tx, "dkim.retire", principal, before, key)
    return _shown(key, principal)


@router.delete("/{selector}", status_code=204, summary="Delete a DKIM key", responses=problems(404, 409))
async def delete_dkim_key(api: Api, principal: Admin, domain: DomainName, selector: KeyName) -> None:
    """For ever. 409: it signs."""
    async with change(api, principal) as tx:
        gone = await dkim.delete_key(tx.connection, principal.domain.id, selector)
        await tx.audit("dkim.delete", _target(gone, principal), domain_id=principal.domain.id, before=_audited(gone))


async def _state(api: ApiServices, principal: Principal) -> tuple[DkimSettings, list[dkim.DkimKey]]:
    """For a no before the costly making of a key. Raises NoMasterKey."""
    if not api.sealer.ready:
        raise NoMasterKey
    async with api.database.acquire() as connection:
        holds = await domain_specs.effective_domain(connection, principal.domain.name)
        return holds.security.dkim, await dkim.list_keys(connection, principal.domain.id)


async def _check_published(api: ApiServices, record: Record) -> None:
    """Raises ApiProblem 409."""
    delivery = api.config.delivery
    resolver = Resolver(delivery.resolver, timeout=min(delivery.dns_timeout, _LOOKUP_SECONDS))
    advice = "Publish it first, or activate with force=true."
    try:
        found = await resolver.records(record.name, record.type)
    except NameNotFound:
        found = []
    except DnsError as error:
        raise ApiProblem(409, f"The record {record.name} cannot be looked up: {error}. {advice}") from None
    if not found:
        raise ApiProblem(409, f"The record {record.name} is not published. {advice}")
    verdicts = [judge_key(record.value, text) for text in found]
    if verdicts[0].state != "ok" or len(found) > 1:
        reason = verdicts[0].detail or "there is more than one"
        raise ApiProblem(409, f"The record {record.name} is not the key's: {reason}. {advice}")


async def _audit(tx: Any, action: str, principal: Principal, before: dkim.DkimKey, after: dkim.DkimKey) -> None:
    if before != after:
        await tx.audit(
            action,
            _target(after, principal),
            domain_id=principal.domain.id,
            before=_audited(before),
            after=_audited(after),
        )


def _target(key: dkim.DkimKey, principal: Principal) -> str:
    return f"{key.selector}._domainkey.{principal.domain.name}"


def _audited(key: dkim.DkimKey) -> dict[str, Any]:
    return {"algorithm": key.algorithm, "key_size": key.key_size, "state": key.state}


def _record(key: dkim.DkimKey, principal: Principal) -> Record:
    return dkim_record(principal.domain.name, key.published)


def _all(keys: list[dkim.DkimKey], principal: Principal) -> DkimKeys:
    return DkimKeys(items=tuple(_shown(key, principal) for key in keys))


def _shown(key: dkim.DkimKey, principal: Principal) -> DkimKey:
    until: dt.datetime | None = key.published_until()
    return DkimKey(
        selector=key.selector,
        algorithm=key.algorithm,
        key_size=key.key_size,
        state=key.state,
        public_key=key.public_key,
        record=shown_record(_record(key, principal)),
        created_at=key.created_at,
        activated_at=key.activated_at,
        retired_at=key.retired_at,
        published_until=until,
    )
