"""/api/v1/limits: policies, what holds for whom, what is used; and letting an account send again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from mailraven import queue
from mailraven.adminapi.access import Who, allow, change, find_account, find_domain
from mailraven.adminapi.etag import IfMatch, set_etag
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.path_names import AccountAddress
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.directory import VersionMismatch
from mailraven.limits import policies
from mailraven.limits.clients import parse_ip
from mailraven.limits.guard import release_sending
from mailraven.limits.policies import Subject
from mailraven.limits.usage import effective, subject_of, usage
from mailraven_api.limits import Scope
from mailraven_api.policy import RateLimitPolicy, RateLimitPolicySpec
from mailraven_api.usage import EffectiveLimit, LimitUsage

router = APIRouter(prefix="/api/v1/limits", tags=["limits"])
sending = APIRouter(prefix="/api/v1/accounts", tags=["limits"])

Reader = Annotated[Principal, Depends(allow("limits:read", Who.SUPER))]
Writer = Annotated[Principal, Depends(allow("limits:write", Who.SUPER))]
Looker = Annotated[Principal, Depends(allow("limits:read", Who.ADMINS))]
PolicyName = Annotated[
    str,
    Path(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", description="As Kubernetes names its resources."),
]


class Released(BaseModel):
    """What became of the mail that was held."""

    released: int = Field(description="Recipients that are tried again now.")
    more: bool = Field(description="There are others: ask again.")


@router.get("/policies", summary="List rate limit policies")
async def list_policies(api: Api, principal: Reader, paging: Paging) -> Page[RateLimitPolicy]:
    """By name."""
    async with api.database.acquire() as connection:
        found = await policies.list_policies(connection, paging.after, paging.fetch)
    return paging.page(found, lambda policy: policy.name, lambda policy: policy)


@router.get("/policies/{name}", summary="Show a rate limit policy", responses=problems(404))
async def get_policy(api: Api, principal: Reader, name: PolicyName, response: Response) -> RateLimitPolicy:
    """With its version as ETag."""
    async with api.database.acquire() as connection:
        found = await policies.get_policy(connection, name)
    if found is None:
        raise _no_policy(name)
    set_etag(response, found.version)
    return found


@router.put(
    "/policies/{name}",
    summary="Make or replace a rate limit policy",
    responses={201: {"model": RateLimitPolicy, "description": "It is new."}, **problems(412)},
)
async def put_policy(
    api: Api, principal: Writer, name: PolicyName, body: RateLimitPolicySpec, expected: IfMatch, response: Response
) -> RateLimitPolicy:
    """In force on all servers at once. The same request again changes nothing."""
    async with change(api, principal) as tx:
        before = await policies.get_policy(tx.connection, name, lock=True)
        _check_version(expected, before, name)
        try:
            put = await policies.put_policy(tx.connection, name, body)
        except policies.PolicyError as error:
            raise ApiProblem(422, f"{str(error).capitalize()}.") from None
        if before is None or before.version != put.version:
            action = "limit_policy.create" if before is None else "limit_policy.update"
            await tx.audit(action, name, before=None if before is None else _audited(before), after=_audited(put))
    api.gate.rules.forget()
    if before is None:
        response.status_code = 201
    set_etag(response, put.version)
    return put


@router.delete("/policies/{name}", status_code=204, summary="Delete a rate limit policy", responses=problems(404, 412))
async def delete_policy(api: Api, principal: Writer, name: PolicyName, expected: IfMatch) -> None:
    """The limits that it took the place of hold again."""
    async with change(api, principal) as tx:
        before = await policies.get_policy(tx.connection, name, lock=True)
        if before is None:
            raise _no_policy(name)
        _check_version(expected, before, name)
        await policies.delete_policy(tx.connection, name)
        await tx.audit("limit_policy.delete", name, before=_audited(before))
    api.gate.rules.forget()


@router.get("/effective", summary="Show which limits hold for an account", responses=problems(404))
async def effective_limits(
    api: Api,
    principal: Looker,
    account: Annotated[str, Query(max_length=320, description="The address of an account.")],
) -> list[EffectiveLimit]:
    """Of the account itself and of its domain, and where each comes from."""
    async with api.database.acquire() as connection:
        found = await find_account(connection, principal, account)
    await api.gate.rules.load()
    facts = await api.gate.rules.account(found.id)
    subject = subject_of(facts)
    return [
        limit for scope in (Scope.ACCOUNT, Scope.DOMAIN) for limit in effective(api.gate.rules, scope, subject, facts)
    ]


@router.get("/usage", summary="Show what is used of limits", responses=problems(404))
async def limit_usage(
    api: Api,
    principal: Looker,
    scope: Annotated[Scope, Query(description="Whose events. Addresses and tokens are for super-admins only.")],
    key: Annotated[
        str,
        Query(min_length=1, max_length=320, description="An IP address, the address of an account, a domain, a token."),
    ],
) -> list[LimitUsage]:
    """Now, over all servers."""
    rules = api.gate.rules
    await rules.load()
    async with api.database.acquire() as connection:
        match scope:
            case Scope.ACCOUNT:
                facts = await rules.account((await find_account(connection, principal, key)).id)
                return await usage(connection, rules, scope, facts.address, subject_of(facts), facts)
            case Scope.DOMAIN:
                facts = await rules.domain((await find_domain(connection, principal, key)).name)
                return await usage(connection, rules, scope, facts.domain, subject_of(facts), facts)
    if principal.administered() is not None:
        raise ApiProblem(403, "Only super-admins may see what addresses and tokens do.")
    if scope is Scope.IP and parse_ip(key) is None:
        raise ApiProblem(422, "The key is not an IP address.")
    subject = Subject(ip=key) if scope is Scope.IP else Subject(token=key)
    async with api.database.acquire() as connection:
        return await usage(connection, rules, scope, key, subject)


@sending.post("/{address}/release-sending", summary="Let an account send again", responses=problems(404, 409))
async def let_account_send(
    api: Api,
    principal: Annotated[Principal, Depends(allow("queue:write", Who.ACCOUNT))],
    address: AccountAddress,
) -> Released:
    """For admins, when they have looked at why it was held: what waits is tried now, and new recipients and bounces
    count from now on. 409: it is not held.
    """
    account = principal.account
    if not principal.may_admin(account.domain_id):
        raise ApiProblem(403, "Only admins may let an account send again.")
    async with change(api, principal) as tx:
        reason = await tx.connection.fetchval("SELECT sending_held FROM account WHERE id = $1 FOR UPDATE", account.id)
        outcome = await release_sending(tx.connection, account.id, principal.actor)
        if outcome is None:
            raise ApiProblem(409, "Mail of the account is not held.")
        before, after = {"sending_held": reason}, {"sending_held": None}
        await tx.audit("account.release-sending", account.address, account.domain_id, before=before, after=after)
    if queue.wakes(queue.Action.RELEASE, outcome):
        api.database.notifier.notify("mailraven_queue")
    return Released(released=outcome.changed, more=outcome.more)


def _check_version(expected: int | None, found: RateLimitPolicy | None, name: str) -> None:
    version = 0 if found is None else found.version
    if expected is not None and expected != version:
        raise VersionMismatch(f"policy {name} has version {version}, not {expected}")


def _no_policy(name: str) -> ApiProblem:
    return ApiProblem(404, f"There is no policy {name}.")


def _audited(policy: RateLimitPolicy) -> dict[str, object]:
    return policy.spec.model_dump(mode="json", exclude_defaults=True)
