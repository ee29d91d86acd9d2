"""RateLimitPolicy: a policy of the server. docs/operator.md, Policies."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from mailraven_api.kubernetes import RateLimitPolicy
from mailraven_api.policy import RateLimitPolicySpec
from mailraven_operator.context import Context
from mailraven_operator.domains.ownership import refused_adoption
from mailraven_operator.outcome import ConditionValue, Outcome, Problem
from mailraven_operator.policies.matching import matched
from mailraven_operator.policies.naming import rival, server_name
from mailraven_operator.policies.narrowing import narrowed
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.world import Key, World

_SCOPED = ("account", "domain")


class RateLimitPolicies:
    """One for a process: it remembers who waits for a name."""

    plural: ClassVar[str] = "ratelimitpolicies"
    model: ClassVar[type[Any]] = RateLimitPolicy
    finalizes: ClassVar[bool] = True

    def __init__(self) -> None:
        self._waiting: set[Key] = set()

    async def reconcile(self, context: Context, resource: RateLimitPolicy) -> Outcome:
        """What a resource may not have is not on the server either: also what it was allowed before."""
        self._waiting.discard(resource.metadata.key)
        try:
            return await self._reconcile(context, resource)
        except Problem as problem:
            synced = ConditionValue("Synced", False, problem.reason, problem.message)
            raise Problem(
                problem.reason,
                problem.message,
                retry=problem.retry,
                conditions=(synced,),
                status={},
            ) from None

    async def _reconcile(self, context: Context, policy: RateLimitPolicy) -> Outcome:
        home = context.settings.namespace
        name = server_name(policy.metadata.key, home)
        other = rival(policy, home, context.world.policies)
        if other is not None:
            self._waiting.add(policy.metadata.key)
            text = f"the server's name for it, {name}, belongs to the RateLimitPolicy {other[0]}/{other[1]}"
            raise Problem("Conflict", text, retry=False)
        domains = await context.server.domains()
        namespace = policy.metadata.namespace

        def own_domain(domain: str) -> str | None:
            owner = context.world.domain_owner(domain)
            if owner is None or owner.metadata.namespace != namespace:
                return None
            refused = refused_adoption(owner, domains.get(owner.domain), home)
            return owner.domain if refused is None else None

        try:
            spec = narrowed(policy, home, own_domain)
            changed = await _put(context, name, spec)
        except Problem:
            await context.server.delete(path("limits", "policies", name))
            raise
        is_scoped = spec.scope.value in _SCOPED
        count = matched(spec, await context.server.accounts() if is_scoped else {}, domains)
        status = {"policyName": name, "matched": count}
        drift = ("spec",) if changed and _was_ready(policy) else ()
        return Outcome(status, (ConditionValue("Synced", True, "Reconciled"),), repaired=drift)

    async def finalize(self, context: Context, resource: RateLimitPolicy) -> None:
        """It is removed, unless its name is another resource's."""
        self._waiting.discard(resource.metadata.key)
        home = context.settings.namespace
        if rival(resource, home, context.world.policies) is None:
            await context.server.delete(path("limits", "policies", server_name(resource.metadata.key, home)))

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """A MailDomain: the policies of its namespace. Another policy: who waits for its name."""
        match resource_kind:
            case "MailDomain":
                return [policy for policy in world.policies if policy[0] == key[0]]
            case "RateLimitPolicy":
                return [policy for policy in self._waiting if policy != key]
        return ()


async def _put(context: Context, name: str, spec: RateLimitPolicySpec) -> bool:
    """Whether the server had it otherwise. Raises Problem for what it refuses."""
    where = path("limits", "policies", name)
    found = await context.server.read(where)
    etag = None
    if found is not None:
        document, etag = found
        if _same(document["spec"], spec):
            return False
    try:
        await context.server.put(where, spec.model_dump(mode="json", exclude_defaults=True), etag=etag)
    except ServerRefused as error:
        if error.status == 422:
            field = error.field.strip("/").replace("/", ".")
            where_in = f"spec.{field}" if field else "spec"
            raise Problem("InvalidSpec", f"{where_in}: {error.detail}", retry=False) from None
        raise
    return True


def _same(document: Mapping[str, Any], spec: RateLimitPolicySpec) -> bool:
    return RateLimitPolicySpec.model_validate(document).model_dump() == spec.model_dump()


def _was_ready(policy: RateLimitPolicy) -> bool:
    return any(
        one.type == "Ready" and one.status == "True" and one.observed_generation == policy.metadata.generation
        for one in policy.status.conditions
    )
