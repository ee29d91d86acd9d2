"""What a policy may be about. Pure.

In the home namespace: anything. Elsewhere: accounts and domains of its own namespace, whatever its selector says.
Accounts and domains on the server carry their namespace as a label that nobody but the operator and super-admins set,
so requiring it is safe. Where a selector names domains, these have to be the namespace's own, and then the policy holds
for all their accounts, also for those that other namespaces or people have there: that is the domain's to decide.
"""

from collections.abc import Callable

from mailraven_api.kubernetes import RateLimitPolicy
from mailraven_api.limits import Scope
from mailraven_api.policy import RateLimitPolicySpec, Selector
from mailraven_operator.domains.ownership import NAMESPACE_LABEL
from mailraven_operator.outcome import Problem, invalid_spec

OwnDomain = Callable[[str], str | None]
"""The name of a domain of the namespace for one of its names; None: it is not the namespace's."""
HIGHEST_PRIORITY = 1000
"""Outside of the home namespace: what is above it stays with those who run the server."""
# What the server looks at.
_SELECTABLE = {
    Scope.IP: {"networks"},
    Scope.TOKEN: {"tokens"},
    Scope.ACCOUNT: {"domains", "match_labels", "accounts"},
    Scope.DOMAIN: {"domains", "match_labels"},
}
_SHOWN = {"match_labels": "matchLabels"}


def narrowed(policy: RateLimitPolicy, home: str, own_domain: OwnDomain) -> RateLimitPolicySpec:
    """What the server gets. Raises Problem for what the namespace may not have, and for what would not mean what it
    says."""
    spec = policy.spec.to_policy_spec()
    chosen = {name for name in Selector.model_fields if getattr(spec.selector, name)}
    for name in sorted(chosen - _SELECTABLE[spec.scope]):
        shown = _SHOWN.get(name, name)
        raise invalid_spec(f"spec.selector.{shown}", f"the scope {spec.scope.value} does not look at it")
    if policy.metadata.namespace == home:
        return spec
    _check_namespace(spec, chosen, home)
    selector = spec.selector
    domains = _own(selector.domains, own_domain)
    if spec.scope is Scope.ACCOUNT and domains:
        narrow = selector.model_copy(update={"domains": domains})
    else:
        labels = selector.match_labels | {NAMESPACE_LABEL: policy.metadata.namespace}
        narrow = selector.model_copy(update={"domains": domains, "match_labels": labels})
    return spec.model_copy(update={"selector": narrow})


def _check_namespace(spec: RateLimitPolicySpec, chosen: set[str], home: str) -> None:
    if spec.scope in (Scope.IP, Scope.TOKEN):
        raise _not_here("spec.scope", f"{spec.scope.value} is for policies in {home}")
    if not chosen:
        raise _not_here("spec.selector", f"a policy without a selector holds for everything, and is for {home}")
    if spec.action == "ban":
        raise _not_here("spec.action", f"a ban holds for the whole server, and is for policies in {home}")
    if spec.priority > HIGHEST_PRIORITY:
        raise _not_here("spec.priority", f"above {HIGHEST_PRIORITY} it is for policies in {home}")


def _not_here(field: str, text: str) -> Problem:
    return Problem("NamespaceNotAllowed", f"{field}: {text}", retry=False)


def _own(names: tuple[str, ...], own_domain: OwnDomain) -> tuple[str, ...]:
    found = []
    for place, name in enumerate(names):
        domain = own_domain(name.lower().rstrip("."))
        if domain is None:
            text = f"spec.selector.domains[{place}]: {name} is no domain of this namespace"
            raise Problem("DomainNotAllowed", text)
        found.append(domain)
    return tuple(dict.fromkeys(found))
