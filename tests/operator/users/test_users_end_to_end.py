"""MailUsers of a real API server on a real MailRaven server: accounts, aliases, roles, and what becomes of them."""

from typing import Any

import pytest

DOMAIN = "example.org"
ANN = f"ann@{DOMAIN}"


@pytest.fixture
async def team(site: Any) -> str:
    """A namespace with a MailDomain."""
    namespace = site.namespace("team")
    await site.domain(namespace, DOMAIN)
    return namespace


def ready(site: Any, namespace: str, name: str = "ann") -> tuple[str, str]:
    return site.conditions("MailUser", namespace, name)["Ready"][:2]


def message(site: Any, namespace: str, kind: str = "Ready", name: str = "ann") -> str:
    return site.conditions("MailUser", namespace, name)[kind][2]


def status(site: Any, namespace: str, name: str = "ann") -> dict[str, Any]:
    return site.get("MailUser", namespace, name)["status"]


async def test_a_user_becomes_an_account_and_drift_is_repaired(site: Any, team: str) -> None:
    spec = {"address": ANN, "displayName": "Ann", "quota": "1Gi", "disabledProtocols": ["http"]}
    site.make("MailUser", team, "ann", spec, {"tier": "gold"})
    await site.look("MailUser", team, "ann")
    assert ready(site, team) == ("True", "Reconciled")
    account = await site.shown(f"accounts/{ANN}")
    assert account["display_name"] == "Ann"
    assert account["quota_bytes"] == 2**30
    assert account["disabled"] == ["http"]
    assert account["labels"] == {"tier": "gold", "mailraven.io/namespace": team}
    assert list(site.conditions("MailUser", team, "ann")) == ["CredentialsReady", "Synced", "Ready"]
    before = site.get("MailUser", team, "ann")["metadata"]["resourceVersion"]
    await site.look("MailUser", team, "ann")
    assert await site.shown(f"accounts/{ANN}") == account
    assert site.get("MailUser", team, "ann")["metadata"]["resourceVersion"] == before
    await site.root.patch(f"/api/v1/accounts/{ANN}", json={"suspended": True, "quota_bytes": 5, "labels": {"x": "y"}})
    await site.look("MailUser", team, "ann")
    repaired = await site.shown(f"accounts/{ANN}")
    assert repaired | {"version": 0, "updated_at": ""} == account | {"version": 0, "updated_at": ""}
    await site.root.delete(f"/api/v1/accounts/{ANN}")
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"accounts/{ANN}"))["quota_bytes"] == 2**30


async def test_what_spec_does_not_say_is_the_domains_or_the_persons_own(site: Any, team: str) -> None:
    forwarding = {"targets": ["ann@Elsewhere.example"]}
    site.make("MailUser", team, "ann", {"address": ANN, "displayName": "Ann", "forwarding": forwarding})
    await site.look("MailUser", team, "ann")
    version = (await site.shown(f"accounts/{ANN}"))["version"]
    own = {"vacation": {"enabled": True, "text": "back soon"}, "forwarding": {"targets": ["eve@evil.example"]}}
    await site.root.patch(f"/api/v1/accounts/{ANN}", json=own)
    await site.look("MailUser", team, "ann")
    account = await site.shown(f"accounts/{ANN}")
    assert account["forwarding"]["targets"] == ["ann@elsewhere.example"]
    assert account["vacation"]["text"] == "back soon"
    assert account["version"] == version + 2
    site.change("MailUser", team, "ann", {"forwarding": None})
    await site.look("MailUser", team, "ann")
    account = await site.shown(f"accounts/{ANN}")
    assert (account["forwarding"], account["vacation"]["text"], account["display_name"]) == (None, "back soon", "Ann")
    await site.root.patch(f"/api/v1/accounts/{ANN}", json={"forwarding": {"targets": ["own@elsewhere.example"]}})
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"accounts/{ANN}"))["forwarding"]["targets"] == ["own@elsewhere.example"]
    await site.root.patch(f"/api/v1/domains/{DOMAIN}", json={"default_quota_bytes": 4096})
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"accounts/{ANN}"))["quota_bytes"] == status(site, team)["quotaBytes"] == 4096
    site.change("MailUser", team, "ann", {"quota": "none"})
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"accounts/{ANN}"))["quota_bytes"] is None


async def test_a_stale_list_does_not_overwrite_what_somebody_changed_meanwhile(site: Any, team: str) -> None:
    site.users._listing_seconds = 60.0
    site.make("MailUser", team, "ann", {"address": ANN, "displayName": "Ann"})
    await site.look("MailUser", team, "ann")
    await site.look("MailUser", team, "ann")  # the list is fetched
    await site.root.patch(f"/api/v1/accounts/{ANN}", json={"display_name": "Eve"})
    site.change("MailUser", team, "ann", {"suspended": True})
    assert (await site.look("MailUser", team, "ann", fresh=False)).failed
    assert ready(site, team) == ("False", "ServerRefused")
    assert not (await site.look("MailUser", team, "ann", fresh=False)).failed
    account = await site.shown(f"accounts/{ANN}")
    assert (account["display_name"], account["suspended"]) == ("Ann", True)


async def test_a_domain_that_is_not_there_not_open_or_not_on_the_server_yet(site: Any) -> None:
    team, guests = site.namespace("team"), site.namespace("guests", {"mail": "yes"})
    site.make("MailUser", guests, "ann", {"address": ANN})
    await site.look("MailUser", guests, "ann")
    assert ready(site, guests) == ("False", "DomainNotFound")
    site.make("MailDomain", team, DOMAIN, {"aliases": ["example.net"]})
    await site.look("MailUser", guests, "ann")
    assert ready(site, guests) == ("False", "DomainNotAllowed")
    assert (guests, "ann") in site.users.touched_by(site.world, "MailDomain", (team, DOMAIN))
    assert (guests, "ann") in site.users.touched_by(site.world, "Namespace", ("", guests))
    allowed = {"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}
    site.change("MailDomain", team, DOMAIN, {"allowedNamespaces": allowed})
    await site.look("MailUser", guests, "ann")
    assert ready(site, guests) == ("False", "DomainNotFound")
    assert "yet" in message(site, guests)
    await site.root.put(f"/api/v1/domains/{DOMAIN}", json={"labels": {"mailraven.io/namespace": team}})
    await site.look("MailUser", guests, "ann")
    assert ready(site, guests) == ("True", "Reconciled")
    site.make("MailUser", team, "net", {"address": "net@example.net"})
    await site.look("MailUser", team, "net")
    assert ready(site, team, "net") == ("False", "InvalidSpec")


async def test_a_maildomain_that_may_not_have_the_servers_domain_opens_no_accounts(site: Any) -> None:
    thief = site.namespace("thief")
    await site.root.put(f"/api/v1/domains/{DOMAIN}", json={"labels": {"mailraven.io/namespace": "owner"}})
    await site.root.post("/api/v1/accounts", json={"address": ANN, "display_name": "Ann"})
    site.make("MailDomain", thief, DOMAIN, {})
    site.make("MailUser", thief, "ann", {"address": ANN, "generatedSecret": {"name": "mine"}})
    await site.look("MailUser", thief, "ann")
    assert ready(site, thief) == ("False", "DomainNotAllowed")
    assert site.secrets(thief) == []
    assert not (await site.shown(f"accounts/{ANN}"))["has_password"]


async def test_the_oldest_user_has_an_address_and_who_may_not_have_it_does_not_count(site: Any, team: str) -> None:
    stranger = site.namespace("stranger")
    site.make("MailUser", stranger, "squatter", {"address": ANN, "aliases": [f"boss@{DOMAIN}"]})
    site.make("MailUser", team, "ann", {"address": ANN, "aliases": [f"boss@{DOMAIN}"]})
    await site.look("MailUser", team, "ann")  # an alias counts from when it was granted
    await site.next_second()
    site.make("MailUser", team, "late", {"address": f"late@{DOMAIN}", "aliases": [f"Boss@{DOMAIN}", ANN]})
    await site.next_second()
    site.make("MailUser", team, "boss", {"address": f"boss@{DOMAIN}"})
    for name in ("ann", "late", "boss"):
        await site.look("MailUser", team, name)
    await site.look("MailUser", stranger, "squatter")
    assert ready(site, team) == ("True", "Reconciled")
    assert ready(site, stranger, "squatter") == ("False", "DomainNotAllowed")
    assert site.conditions("MailUser", team, "late")["Synced"][:2] == ("False", "Conflict")
    assert message(site, team, name="late").count(f"belongs to the MailUser {team}/ann") == 2
    assert "spec.aliases[0]" in message(site, team, name="late")
    assert ready(site, team, "boss") == ("False", "Conflict")
    assert (await site.shown(f"domains/{DOMAIN}/aliases/boss"))["targets"] == [ANN]
    assert set(site.users.touched_by(site.world, "MailUser", (team, "ann"))) == {(team, "late"), (team, "boss")}
    await site.delete("MailUser", team, "ann")
    await site.look("MailUser", team, "late")  # the account is kept, so an alias of its name is refused
    assert ready(site, team, "late") == ("False", "Conflict")


async def test_an_older_user_takes_no_address_away_by_an_alias(site: Any, team: str) -> None:
    guests = site.namespace("guests")
    site.change("MailDomain", team, DOMAIN, {"allowedNamespaces": {"from": "All"}})
    site.make("MailUser", guests, "thief", {"address": f"thief@{DOMAIN}"})
    await site.look("MailUser", guests, "thief")
    await site.next_second()
    site.make("MailUser", team, "ann", {"address": ANN, "aliases": [f"boss@{DOMAIN}"]})
    await site.look("MailUser", team, "ann")
    site.change(
        "MailUser", guests, "thief", {"aliases": [ANN.upper().replace(DOMAIN.upper(), DOMAIN), f"boss@{DOMAIN}"]}
    )
    site.change("MailUser", team, "ann", {"displayName": "Ann"})
    await site.look("MailUser", guests, "thief")
    await site.look("MailUser", team, "ann")
    assert ready(site, team) == ("True", "Reconciled")
    assert ready(site, guests, "thief") == ("False", "Conflict")
    assert (await site.shown(f"accounts/{ANN}"))["display_name"] == "Ann"
    assert (await site.shown(f"domains/{DOMAIN}/aliases/boss"))["targets"] == [ANN]


async def test_aliases_are_made_moved_and_removed_and_those_of_others_stay(site: Any, team: str) -> None:
    where = f"/api/v1/domains/{DOMAIN}/aliases"
    await site.root.post("/api/v1/accounts", json={"address": f"bob@{DOMAIN}"})
    await site.root.put(f"{where}/hand", json={"targets": [ANN]})
    await site.root.put(f"{where}/team", json={"targets": [ANN, f"bob@{DOMAIN}"]})
    aliases = [f"{name}@{DOMAIN}" for name in ("info", "team", "bob", "*")] + ["ann@elsewhere.example"]
    site.make("MailUser", team, "ann", {"address": ANN, "aliases": aliases})
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"domains/{DOMAIN}/aliases/info"))["targets"] == [ANN]
    assert len((await site.shown(f"domains/{DOMAIN}/aliases/team"))["targets"]) == 2
    text = message(site, team, "Synced")
    assert "spec.aliases[1]: the server has the alias team@example.org already" in text
    assert "spec.aliases[3]: the catch-all belongs to the MailDomain" in text
    assert "spec.aliases[4]: there is no MailDomain of elsewhere.example" in text
    assert "bob@example.org is an account" in text
    assert status(site, team)["aliases"] == [f"info@{DOMAIN}"]
    site.change("MailUser", team, "ann", {"aliases": [f"info@{DOMAIN}", f"sales@{DOMAIN}"]})
    await site.look("MailUser", team, "ann")
    assert ready(site, team) == ("True", "Reconciled")
    await site.root.put(f"{where}/sales", json={"targets": ["eve@evil.example"]})
    await site.root.delete(f"{where}/info")
    await site.look("MailUser", team, "ann")
    for name in ("info", "sales"):
        assert (await site.shown(f"domains/{DOMAIN}/aliases/{name}"))["targets"] == [ANN]
    site.change("MailUser", team, "ann", {"aliases": []})
    await site.look("MailUser", team, "ann")
    left = [alias["localpart"] for alias in (await site.shown("aliases"))["items"]]
    assert left == ["hand", "team"]
    assert "aliases" not in status(site, team)


async def test_an_alias_may_be_of_another_domain_that_lets_the_namespace_in(site: Any, team: str) -> None:
    other = site.namespace("other")
    await site.domain(other, "example.com")
    site.make("MailUser", team, "ann", {"address": ANN, "aliases": ["ann@example.com"]})
    await site.look("MailUser", team, "ann")
    assert ready(site, team) == ("False", "DomainNotAllowed")
    assert await site.shown("domains/example.com/aliases/ann") is None
    site.change("MailDomain", other, "example.com", {"allowedNamespaces": {"from": "Names", "names": [team]}})
    assert (team, "ann") in site.users.touched_by(site.world, "MailDomain", (other, "example.com"))
    await site.look("MailUser", team, "ann")
    assert ready(site, team) == ("True", "Reconciled")
    assert (await site.shown("domains/example.com/aliases/ann"))["targets"] == [ANN]


async def test_roles_are_for_those_who_may_give_them(site: Any, team: str) -> None:
    guests = site.namespace("guests")
    site.change("MailDomain", team, DOMAIN, {"allowedNamespaces": {"from": "All"}})
    await site.root.put("/api/v1/domains/example.net", json={})
    for namespace, name, role in ((team, "ann", "domain-admin"), (guests, "guest", "domain-admin"),
                                  (team, "root", "super-admin"), (site.home, "boss", "super-admin")):  # fmt: skip
        site.make("MailUser", namespace, name, {"address": f"{name}@{DOMAIN}", "role": role})
        await site.look("MailUser", namespace, name)
    assert ready(site, team) == ready(site, site.home, "boss") == ("True", "Reconciled")
    assert ready(site, guests, "guest") == ready(site, team, "root") == ("False", "NamespaceNotAllowed")
    assert [await site.shown(f"accounts/{name}@{DOMAIN}") for name in ("guest", "root")] == [None, None]
    assert (await site.shown(f"admins/boss@{DOMAIN}"))["role"] == "super-admin"
    where = f"/api/v1/admins/{ANN}"
    await site.root.put(where, json={"role": "domain-admin", "domains": ["example.net"]})
    await site.look("MailUser", team, "ann")
    assert (await site.shown(f"admins/{ANN}"))["domains"] == [DOMAIN]
    site.change("MailUser", team, "ann", {"role": "user"})
    await site.look("MailUser", team, "ann")
    assert await site.shown(f"admins/{ANN}") is None
    site.make("MailUser", guests, "plain", {"address": f"plain@{DOMAIN}"})
    await site.look("MailUser", guests, "plain")
    await site.root.put(f"/api/v1/admins/plain@{DOMAIN}", json={"role": "domain-admin"})
    site.change("MailUser", guests, "plain", {"role": "domain-admin"})
    await site.look("MailUser", guests, "plain")
    assert (await site.shown(f"accounts/plain@{DOMAIN}"))["role"] == "user"


async def test_accounts_that_were_there_are_for_their_own_namespace(site: Any, team: str) -> None:
    guests = site.namespace("guests")
    site.change("MailDomain", team, DOMAIN, {"allowedNamespaces": {"from": "All"}})
    for name in ("ann", "root"):
        await site.root.post("/api/v1/accounts", json={"address": f"{name}@{DOMAIN}"})
    await site.root.put(f"/api/v1/admins/root@{DOMAIN}", json={"role": "super-admin"})
    secret = site.secret(guests, "mine", password="wagon 4 copper lantern")
    spec = {"address": ANN, "passwordSecretRef": {"name": secret}, "reclaimPolicy": "Delete"}
    site.make("MailUser", guests, "ann", spec)
    await site.look("MailUser", guests, "ann")
    assert ready(site, guests) == ("False", "Conflict")
    assert not (await site.shown(f"accounts/{ANN}"))["has_password"]
    await site.delete("MailUser", guests, "ann")
    assert await site.shown(f"accounts/{ANN}") is not None
    site.make("MailUser", team, "ann", {"address": ANN})
    site.make("MailUser", team, "root", {"address": f"root@{DOMAIN}"})
    for name in ("ann", "root"):
        await site.look("MailUser", team, name)
    assert ready(site, team) == ("True", "Reconciled")
    assert ready(site, team, "root") == ("False", "Conflict")
    assert (await site.shown(f"accounts/root@{DOMAIN}"))["role"] == "super-admin"


async def test_deleting_a_user_keeps_or_deletes_the_account_as_it_says(site: Any, team: str) -> None:
    app = [{"name": "phone", "secretName": "ann-phone"}]
    for name, policy in (("ann", "Retain"), ("bob", "Delete")):
        spec = {"address": f"{name}@{DOMAIN}", "aliases": [f"{name}2@{DOMAIN}"], "reclaimPolicy": policy}
        site.make("MailUser", team, name, spec | ({"appPasswords": app} if name == "ann" else {}))
        await site.look("MailUser", team, name)
    await site.root.put(f"/api/v1/domains/{DOMAIN}/aliases/list", json={"targets": [ANN, f"bob@{DOMAIN}"]})
    for name in ("ann", "bob"):
        await site.delete("MailUser", team, name)
        assert site.world.users.get((team, name)) is None
    assert await site.shown(f"accounts/{ANN}") is not None
    assert (await site.shown(f"accounts/{ANN}/app-passwords"))["items"] == []
    assert await site.shown(f"accounts/bob@{DOMAIN}") is None
    left = [alias["localpart"] for alias in (await site.shown("aliases"))["items"]]
    assert left == ["ann2", "list"]
    site.make("MailUser", team, "again", {"address": ANN, "aliases": [f"ann2@{DOMAIN}"]})
    await site.look("MailUser", team, "again")
    assert ready(site, team, "again") == ("True", "Reconciled")


async def test_what_the_server_refuses_is_said_with_the_field(site: Any, team: str) -> None:
    await site.root.patch(f"/api/v1/domains/{DOMAIN}", json={"max_users": 1})
    for name in ("ann", "bob"):
        site.make("MailUser", team, name, {"address": f"{name}@{DOMAIN}"})
    assert not (await site.look("MailUser", team, "ann")).failed
    assert (await site.look("MailUser", team, "bob")).failed
    synced = site.conditions("MailUser", team, "bob")["Synced"]
    assert synced[:2] == ("False", "ServerRefused")
    assert "max_users" in synced[2]
    for targets, reason, text in (
        (["bob@example.net", "no address"], "InvalidSpec", "spec.forwarding.targets[1]: expected an address"),
        ([ANN], "ServerRefused", "Forwarding to the account itself"),
    ):
        site.change("MailUser", team, "ann", {"forwarding": {"targets": targets}})
        assert not (await site.look("MailUser", team, "ann")).failed
        assert ready(site, team) == ("False", reason)
        assert text in message(site, team)


async def test_a_resync_asks_the_server_for_lists_only(site: Any, team: str) -> None:
    count = 12
    for number in range(count):
        spec: dict[str, Any] = {
            "address": f"u{number}@{DOMAIN}",
            "aliases": [f"a{number}@{DOMAIN}"],
            "generatedSecret": {"name": f"u{number}"},
            "appPasswords": [{"name": "app", "secretName": f"app{number}"}],
        }
        site.make("MailUser", team, f"u{number}", spec)
        await site.look("MailUser", team, f"u{number}")
        assert ready(site, team, f"u{number}") == ("True", "Reconciled")
    site.users._listing_seconds, site.users._listings = 60.0, None
    site.context.server.forget()
    await site.see()
    asked: list[tuple[str, str]] = []
    exchange, request = site.context.server._exchange, site.kube.request

    async def count_exchange(method: str, where: str, *rest: Any) -> Any:
        asked.append((method, where))
        return await exchange(method, where, *rest)

    async def count_request(method: str, path: str, **rest: Any) -> Any:
        asked.append((method, path))
        return await request(method, path, **rest)

    site.context.server._exchange, site.kube.request = count_exchange, count_request
    for number in range(count):
        await site._looks["MailUser"].look((team, f"u{number}"))
    lists = ("domains", "accounts", "aliases", "app-passwords")
    assert sorted(asked) == sorted(("GET", f"/api/v1/{name}") for name in lists)


async def test_a_domain_that_is_younger_than_the_list_is_asked_for(site: Any) -> None:
    await site.context.server.domains()
    namespace = site.namespace("young")
    await site.domain(namespace, DOMAIN)
    site.make("MailUser", namespace, "ann", {"address": ANN, "aliases": [f"info@{DOMAIN}"]})
    await site.look("MailUser", namespace, "ann", fresh=False)
    assert ready(site, namespace) == ("True", "Reconciled")
