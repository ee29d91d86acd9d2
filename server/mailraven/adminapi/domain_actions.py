"""What is done to domains through the API, whatever the path looks like: in one transaction with its audit entry.

A new domain gets its DKIM key at once; pairs are made before the transaction begins, that takes up to some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailraven import dkim
from mailraven.adminapi.access import change
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.directory import domain_specs, domains
from mailraven.directory.domain_listing import show_domain, template_as_domain
from mailraven.directory.domain_specs import DEFAULT_TEMPLATE
from mailraven_api.domain import DkimSettings, Domain, DomainCreate, DomainSpec
from mailraven_api.limits import merge

Keys = Sequence[dkim.FreshKey]
# What the operator of the server grants or what takes names from others; the rest is the domain's own affair.
_GRANTED = frozenset({"status", "max_users", "aliases", "limits", "labels"})


async def create_domain(api: ApiServices, principal: Principal, body: DomainCreate) -> Domain:
    """Raises DomainExists, AddressError, InvalidValue."""
    name = domain_specs.domain_name(body.name)
    template = {}
    async with api.database.acquire() as connection:
        await domains.check_free(connection, name)
        if body.use_default_template:
            template = (await domain_specs.read_template(connection)).spec
    fresh = await _prepare(api, template, body.domain)
    async with change(api, principal) as tx:
        made = await domains.make_domain(tx.connection, name, body.domain, use_template=body.use_default_template)
        return await _finish(api, tx, "domain.create", made, fresh)


async def put_domain(
    api: ApiServices, principal: Principal, name: str, spec: DomainSpec, expected: int | None
) -> tuple[Domain, bool]:
    """Made or replaced; whether it is new. Raises as domains.put_domain."""
    name = domain_specs.domain_name(name)
    fresh = await _prepare_for(api, name, spec, merging=False)
    async with change(api, principal) as tx:
        written = await domains.put_domain(tx.connection, name, spec, expected=expected)
        action = "domain.create" if written.before is None else "domain.update"
        return await _finish(api, tx, action, written, fresh), written.before is None


async def patch_domain(
    api: ApiServices, principal: Principal, name: str, spec: DomainSpec, expected: int | None = None
) -> Domain:
    """Merged into its spec. Raises as domains.patch_domain."""
    fresh = await _prepare_for(api, name, spec, merging=True)
    async with change(api, principal) as tx:
        written = await domains.patch_domain(tx.connection, name, spec, expected=expected)
        return await _finish(api, tx, "domain.update", written, fresh)


async def patch_own_domain(
    api: ApiServices, principal: Principal, spec: DomainSpec, expected: int | None = None
) -> Domain:
    """The domain of the path. Raises ApiProblem 403 and what domains.patch_domain raises."""
    if principal.administered() is not None and (granted := spec.model_fields_set & _GRANTED):
        raise ApiProblem(403, f"Only a super-admin changes {', '.join(sorted(granted))} of a domain.")
    return await patch_domain(api, principal, principal.domain.name, spec, expected)


async def put_security(
    api: ApiServices, principal: Principal, name: str, security: Mapping[str, Any], expected: int | None
) -> Domain:
    """Its own security settings replaced. Raises as domains.put_security."""
    spec = DomainSpec.model_validate({"security": security})
    fresh = await _prepare_for(api, name, spec, merging=False)
    async with change(api, principal) as tx:
        written = await domains.put_security(tx.connection, name, dict(security), expected=expected)
        return await _finish(api, tx, "domain.update", written, fresh)


async def delete_domain(api: ApiServices, principal: Principal, name: str, expected: int | None = None) -> None:
    """Raises NoSuchDomain, NotEmpty, VersionMismatch."""
    async with change(api, principal) as tx:
        gone = await domains.delete_domain(tx.connection, name, expected=expected)
        await tx.audit("domain.delete", gone.name, domain_id=gone.id, before=gone.spec)


async def write_template(
    api: ApiServices, principal: Principal, spec: DomainSpec, *, merging: bool, expected: int | None = None
) -> Domain:
    """The template `_default`; no domain that exists is touched. Raises as domain_specs.write_template."""
    async with change(api, principal) as tx:
        before, after = await domain_specs.write_template(tx.connection, spec, merging=merging, expected=expected)
        if after.version != before.version:
            await tx.audit("domain.template", DEFAULT_TEMPLATE, before=before.spec, after=after.spec)
    return template_as_domain(after)


async def _finish(api: ApiServices, tx: Any, action: str, written: domains.Written, fresh: Keys) -> Domain:
    domain, before = written.domain, written.before
    if api.sealer.ready:
        settings = domain.effective.security.dkim
        if before is None or _differ(before.effective.security.dkim, settings):
            await dkim.ensure_key(tx.connection, api.sealer, domain.id, settings, fresh=fresh)
    if before is None or before.version != domain.version:
        was = None if before is None else before.spec
        await tx.audit(action, domain.name, domain_id=domain.id, before=was, after=domain.spec)
    return await show_domain(tx.connection, domain.id)


async def _prepare_for(api: ApiServices, name: str, spec: DomainSpec, *, merging: bool) -> Keys:
    """Pairs for what the domain will lack after the change; ensure_key() makes good what was changed meanwhile."""
    async with api.database.acquire() as connection:
        known = await domain_specs.find_domain(connection, domain_specs.domain_name(name))
        base = (await domain_specs.read_template(connection)).spec if known is None else known.template
    if known is not None:
        base = merge(base, known.spec) if merging else base
        if not _differ(known.effective.security.dkim, _wanted(base, spec)):
            return ()
    return await _prepare(api, base, spec)


def _differ(before: DkimSettings, after: DkimSettings) -> bool:
    """Whether other keys are asked for."""
    return (before.key_size, before.ed25519) != (after.key_size, after.ed25519)


async def _prepare(api: ApiServices, template: domain_specs.Document, spec: DomainSpec) -> Keys:
    return await dkim.prepare_keys(_wanted(template, spec)) if api.sealer.ready else ()


def _wanted(base: domain_specs.Document, spec: DomainSpec) -> DkimSettings:
    document = spec.model_dump(mode="json", exclude_unset=True)
    return domain_specs.effective(base, document).security.dkim
