"""What a RateLimitPolicy may be about, what it is called, and whom it matches."""

from typing import Any

import pytest

from mailraven_api.kubernetes import RateLimitPolicy
from mailraven_operator.outcome import Problem
from mailraven_operator.policies.matching import matched
from mailraven_operator.policies.naming import rival, server_name
from mailraven_operator.policies.narrowing import narrowed

NAMESPACE = "mailraven.io/namespace"


def policy(
    namespace: str = "team", name: str = "p", created: str = "2026-01-01T00:00:00Z", **spec: Any
) -> RateLimitPolicy:
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "creationTimestamp": created}
    limits = {"limits": [{"count": 5, "window": "hour"}], "scope": "account"}
    return RateLimitPolicy.parse({"kind": "RateLimitPolicy", "metadata": metadata, "spec": limits | spec})


def own(domain: str) -> str | None:
    return {"team.example": "team.example", "alias.example": "team.example"}.get(domain)


@pytest.mark.parametrize(
    ("spec", "domains", "labels"),
    [
        ({"selector": {"domains": ["Team.example."]}}, ("team.example",), {}),
        ({"selector": {"domains": ["alias.example", "team.example"]}}, ("team.example",), {}),
        ({"selector": {"domains": ["team.example"], "matchLabels": {"a": "b"}}}, ("team.example",), {"a": "b"}),
        ({"selector": {"matchLabels": {"a": "b"}}}, (), {"a": "b", NAMESPACE: "team"}),
        ({"selector": {"matchLabels": {NAMESPACE: "victim"}}}, (), {NAMESPACE: "team"}),
        ({"selector": {"accounts": ["boss@victim.example"]}}, (), {NAMESPACE: "team"}),
        ({"scope": "domain", "selector": {"matchLabels": {"a": "b"}}}, (), {"a": "b", NAMESPACE: "team"}),
        ({"scope": "domain", "selector": {"domains": ["team.example"]}}, ("team.example",), {NAMESPACE: "team"}),
    ],
)
def test_elsewhere_a_policy_is_narrowed_to_its_namespace(
    spec: dict[str, Any], domains: tuple[str, ...], labels: dict[str, str]
) -> None:
    found = narrowed(policy(**spec), "home", own).selector
    assert (found.domains, found.match_labels) == (domains, labels)
    assert found.accounts == tuple(spec["selector"].get("accounts", ()))


SELECTED = {"domains": ["team.example"]}
HERE, THEIRS = "NamespaceNotAllowed", "DomainNotAllowed"
TOKENS = {"scope": "token", "event": "api_requests", "selector": {"tokens": ["t"]}}


@pytest.mark.parametrize(
    ("spec", "reason", "field"),
    [
        ({}, HERE, "spec.selector"),
        ({"selector": {"domains": []}, "exempt": {"networks": ["10.0.0.0/8"]}}, HERE, "spec.selector"),
        ({"scope": "ip", "event": "smtp_messages"}, HERE, "spec.scope"),
        (TOKENS, HERE, "spec.scope"),
        ({"selector": SELECTED, "action": "ban"}, HERE, "spec.action"),
        ({"selector": SELECTED, "priority": 1001}, HERE, "spec.priority"),
        ({"selector": {"domains": ["team.example", "victim.example"]}}, THEIRS, "spec.selector.domains[1]"),
        ({"scope": "domain", "selector": {"domains": ["victim.example"]}}, THEIRS, "spec.selector.domains[0]"),
        ({"selector": {"networks": ["10.0.0.0/8"]}}, "InvalidSpec", "spec.selector.networks"),
        ({"scope": "domain", "selector": {"accounts": ["x@team.example"]}}, "InvalidSpec", "spec.selector.accounts"),
        ({"scope": "ip", "selector": {"matchLabels": {"a": "b"}}}, "InvalidSpec", "spec.selector.matchLabels"),
    ],
)  # fmt: skip
def test_what_a_namespace_may_not_have(spec: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(Problem) as raised:
        narrowed(policy(**spec), "home", own)
    assert raised.value.reason == reason
    assert raised.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"scope": "ip", "event": "smtp_messages", "action": "ban", "priority": 9000},
        {"scope": "token", "event": "api_requests", "selector": {"tokens": ["t"]}},
        {"selector": {"domains": ["victim.example"], "matchLabels": {"a": "b"}}},
    ],
)
def test_at_home_a_policy_says_what_it_says(spec: dict[str, Any]) -> None:
    made = policy("home", **spec)
    assert narrowed(made, "home", own) == made.spec.to_policy_spec()


@pytest.mark.parametrize(
    ("key", "name"), [(("home", "a.b"), "a.b"), (("team", "a.b"), "team.a.b"), (("team", "x" * 249), None)]
)
def test_names(key: tuple[str, str], name: str | None) -> None:
    if name is not None:
        assert server_name(key, "home") == name
        return
    with pytest.raises(Problem, match="253"):
        server_name(key, "home")


@pytest.mark.parametrize(
    ("mine", "others", "found"),
    [
        (("team", "p"), [], None),
        (("team", "p"), [("home", "team.p", "2025-01-01T00:00:00Z")], ("home", "team.p")),
        (("team", "p"), [("home", "team.p", "2027-01-01T00:00:00Z")], None),
        (("home", "team.p"), [("team", "p", "2025-01-01T00:00:00Z")], ("team", "p")),
        (("home", "team.p.q"), [("team", "p.q", "2025-01-01T00:00:00Z")], ("team", "p.q")),
        (("home", "p"), [("team", "p", "2025-01-01T00:00:00Z")], None),
        (("team", "p"), [("other", "p", "2025-01-01T00:00:00Z")], None),
        (("home", "home.p"), [("home", "p", "2025-01-01T00:00:00Z")], None),
    ],
)
def test_the_older_resource_has_the_name(
    mine: tuple[str, str], others: list[tuple[str, str, str]], found: tuple[str, str] | None
) -> None:
    policies = {(namespace, name): policy(namespace, name, created) for namespace, name, created in others}
    assert rival(policy(*mine), "home", policies) == found


ACCOUNTS = {
    "ann@team.example": {"domain": "team.example", "labels": {"tier": "gold"}},
    "bob@team.example": {"domain": "team.example", "labels": {}},
    "eve@other.example": {"domain": "other.example", "labels": {"tier": "gold"}},
}
DOMAINS = {"team.example": {"labels": {"a": "b"}}, "other.example": {"labels": {}}}


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 3),
        ({"selector": {"domains": ["Team.example"]}}, 2),
        ({"selector": {"matchLabels": {"tier": "gold"}}}, 2),
        ({"selector": {"matchLabels": {"tier": "gold"}, "domains": ["team.example"]}}, 1),
        ({"selector": {"accounts": ["Bob@team.example", "no@team.example"]}}, 1),
        ({"exempt": {"accounts": ["Ann@team.example"]}}, 2),
        ({"scope": "domain"}, 2),
        ({"scope": "domain", "selector": {"matchLabels": {"a": "b"}}}, 1),
        ({"scope": "ip", "event": "smtp_messages"}, None),
        ({"scope": "token", "event": "api_requests"}, None),
    ],
)
def test_matches(spec: dict[str, Any], count: int | None) -> None:
    assert matched(policy(**spec).spec.to_policy_spec(), ACCOUNTS, DOMAINS) == count
