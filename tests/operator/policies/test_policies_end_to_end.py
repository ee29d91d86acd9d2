"""RateLimitPolicies of a real API server on a real MailRaven server."""

from typing import Any

LIMITS = {"limits": [{"count": 3, "window": "hour"}], "scope": "account"}


def ready(site: Any, namespace: str, name: str = "p") -> tuple[str, str]:
    return site.conditions("RateLimitPolicy", namespace, name)["Ready"][:2]


async def names(site: Any) -> list[str]:
    return [item["name"] for item in (await site.shown("limits/policies"))["items"]]


async def test_a_policy_at_home_is_made_repaired_changed_and_removed(site: Any) -> None:
    site.make("RateLimitPolicy", site.home, "p", LIMITS | {"action": "log"})
    await site.look("RateLimitPolicy", site.home, "p")
    assert ready(site, site.home) == ("True", "Reconciled")
    made = await site.shown("limits/policies/p")
    assert made["spec"]["limits"] == [{"count": 3, "window_minutes": 60}]
    assert site.get("RateLimitPolicy", site.home, "p")["status"]["policyName"] == "p"
    before = site.get("RateLimitPolicy", site.home, "p")["metadata"]["resourceVersion"]
    await site.look("RateLimitPolicy", site.home, "p")
    assert await site.shown("limits/policies/p") == made
    assert site.get("RateLimitPolicy", site.home, "p")["metadata"]["resourceVersion"] == before
    hand = {"scope": "account", "limits": [{"count": 99, "window_minutes": 1}]}
    await site.root.put("/api/v1/limits/policies/p", json=hand)
    await site.look("RateLimitPolicy", site.home, "p")
    assert (await site.shown("limits/policies/p"))["spec"] == made["spec"]
    site.change("RateLimitPolicy", site.home, "p", {"event": "smtp_messages"})
    await site.look("RateLimitPolicy", site.home, "p")
    assert ready(site, site.home) == ("False", "InvalidSpec")
    assert await names(site) == []
    site.change("RateLimitPolicy", site.home, "p", {"event": "recipients"})
    await site.look("RateLimitPolicy", site.home, "p")
    assert await names(site) == ["p"]
    await site.delete("RateLimitPolicy", site.home, "p")
    assert await names(site) == []
    assert ("RateLimitPolicy", site.home, "p") not in site.world.policies


async def test_elsewhere_a_policy_reaches_its_own_namespace_only(site: Any) -> None:
    team, victim = site.namespace("team"), site.namespace("victim")
    shared = {"allowedNamespaces": {"from": "All"}}
    await site.domain(team, "team.example")
    await site.domain(victim, "victim.example", **shared)
    for namespace, address in (
        (team, "ann@team.example"),
        (team, "ann@victim.example"),
        (victim, "eve@victim.example"),
    ):
        name = address.replace("@", ".")
        site.make("MailUser", namespace, name, {"address": address}, {"tier": "gold"})
        await site.look("MailUser", namespace, name)

    async def holds(policy: str) -> set[str]:
        found = set()
        for account in (await site.shown("accounts"))["items"]:
            limits = await site.shown(f"limits/effective?account={account['address']}")
            if any(limit["source"] == f"policy {team}.{policy}" for limit in limits):
                found.add(account["address"])
        return found

    for name, selector, reached in (
        ("labels", {"matchLabels": {"tier": "gold"}}, {"ann@team.example", "ann@victim.example"}),
        ("forged", {"matchLabels": {"mailraven.io/namespace": victim}}, {"ann@team.example", "ann@victim.example"}),
        ("accounts", {"accounts": ["eve@victim.example", "ann@team.example"]}, {"ann@team.example"}),
        ("domains", {"domains": ["team.example"]}, {"ann@team.example"}),
    ):
        site.make("RateLimitPolicy", team, name, LIMITS | {"selector": selector})
        await site.look("RateLimitPolicy", team, name)
        assert ready(site, team, name) == ("True", "Reconciled")
        assert await holds(name) == reached
        assert site.get("RateLimitPolicy", team, name)["status"]["matched"] == len(reached)
        await site.delete("RateLimitPolicy", team, name)
    for name, spec, reason in (
        ("all", {}, "NamespaceNotAllowed"),
        ("ip", {"scope": "ip", "event": "smtp_messages"}, "NamespaceNotAllowed"),
        ("theirs", {"selector": {"domains": ["victim.example"]}}, "DomainNotAllowed"),
    ):
        site.make("RateLimitPolicy", team, name, LIMITS | spec)
        await site.look("RateLimitPolicy", team, name)
        assert ready(site, team, name) == ("False", reason)
    assert await names(site) == []


async def test_a_policy_for_domains_and_what_becomes_of_it_when_the_domain_goes(site: Any) -> None:
    team = site.namespace("team")
    await site.domain(team, "team.example")
    spec = LIMITS | {"scope": "domain", "selector": {"domains": ["team.example"]}}
    site.make("RateLimitPolicy", team, "p", spec)
    await site.look("RateLimitPolicy", team, "p")
    assert site.get("RateLimitPolicy", team, "p")["status"]["matched"] == 1
    assert await names(site) == [f"{team}.p"]
    path = f"/apis/mailraven.io/v1alpha1/namespaces/{team}/maildomains/team.example"
    site.kube_api.request("DELETE", path)
    assert list(site.policies.touched_by(site.world, "MailDomain", (team, "team.example"))) == [(team, "p")]
    await site.look("RateLimitPolicy", team, "p")
    assert ready(site, team) == ("False", "DomainNotAllowed")
    assert await names(site) == []
    assert "matched" not in site.get("RateLimitPolicy", team, "p")["status"]


async def test_of_two_that_mean_one_name_the_older_has_it(site: Any) -> None:
    team = site.namespace("team")
    await site.domain(team, "team.example")
    name = f"{team}.p"
    site.make("RateLimitPolicy", site.home, name, LIMITS)
    site.make("RateLimitPolicy", team, "p", LIMITS | {"selector": {"domains": ["team.example"]}})
    resources = {(site.home, name), (team, "p")}
    await site.see()
    younger = max(resources, key=lambda key: (site.world.policies[key].metadata.creation_timestamp,
                                              site.world.policies[key].metadata.uid))  # fmt: skip
    (older,) = resources - {younger}
    for key in (older, younger):
        await site.look("RateLimitPolicy", *key)
    assert ready(site, *older) == ("True", "Reconciled")
    assert ready(site, *younger) == ("False", "Conflict")
    assert list(site.policies.touched_by(site.world, "RateLimitPolicy", older)) == [younger]
    await site.delete("RateLimitPolicy", *younger)
    assert await names(site) == [name]
