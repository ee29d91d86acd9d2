"""How many accounts or domains a policy holds for, by the rules of the server (docs/limits.md). Pure."""

from collections.abc import Mapping
from typing import Any

from mailraven_api.limits import Scope
from mailraven_api.policy import RateLimitPolicySpec

Documents = Mapping[str, Mapping[str, Any]]


def matched(spec: RateLimitPolicySpec, accounts: Documents, domains: Documents) -> int | None:
    """`accounts` and `domains` as the API lists them. None for scopes whose members nobody has a list of."""
    if spec.scope is Scope.DOMAIN:
        return sum(_fits(spec, name, found["labels"]) for name, found in domains.items())
    if spec.scope is not Scope.ACCOUNT:
        return None
    chosen = {name.lower() for name in spec.selector.accounts}
    exempt = {name.lower() for name in spec.exempt.accounts}
    return sum(
        (not chosen or address in chosen) and address not in exempt and _fits(spec, found["domain"], found["labels"])
        for address, found in accounts.items()
    )


def _fits(spec: RateLimitPolicySpec, domain: str, labels: Mapping[str, str]) -> bool:
    names = {name.lower().rstrip(".") for name in spec.selector.domains}
    if names and domain not in names:
        return False
    return all(labels.get(name) == value for name, value in spec.selector.match_labels.items())
