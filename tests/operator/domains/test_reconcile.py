"""MailDomains between a real API server and a real MailRaven server: the domain, conflicts, drift, deletion."""

from typing import Any

from mailraven.testing.kube_apiserver import KubeError

_LABEL = "mailraven.io/namespace"


async def test_a_domain_becomes_ready_and_then_nothing_is_written(running: Any) -> None:
    running.domain(
        running.a,
        maxUsers=5,
        defaultQuota="1Gi",
        catchAll="postmaster@example.org",
        aliases=["example.net", "example.com"],
        hostname="mx.example.org",
        security={"spam": {"rejectScore": 9}, "dkim": {"rotationDays": 90}},
        limits={"messagesPerAccount": [{"count": 7, "window": "2h"}]},
    )
    await running.becomes(running.a, "Reconciled")
    found = await running.on_server()
    assert found["spec"] == {
        "max_users": 5,
        "default_quota_bytes": 2**30,
        "catch_all": "postmaster@example.org",
        "aliases": ["example.com", "example.net"],
        "hostname": "mx.example.org",
        "security": {"spam": {"reject_score": 9.0}, "dkim": {}},
        "limits": {"messages_per_account": [{"count": 7, "window_minutes": 120}]},
        "labels": {_LABEL: running.a},
    }
    await running.until(lambda: running.condition(running.a, "DNSReady")[1] == "RecordsMissing")
    await running.settled()
    status = running.status(running.a)
    assert [one["type"] for one in status["conditions"]] == [
        "Synced",
        "DKIMReady",
        "CertificateReady",
        "DNSReady",
        "Ready",
    ]
    assert (status["domain"], status["users"], status["usedBytes"]) == ("example.org", 0, 0)
    assert status["dkim"] == {"selector": found["dkim_selector"], "publicKey": found["dkim_public_key"]}
    records = {(one["type"], one["name"]): one for one in status["dnsRecords"]}
    assert records["MX", "example.org"]["value"] == "10 mx.example.org"
    assert ("MX", "example.net") in records
    assert {one["state"] for one in status["dnsRecords"]} == {"missing"}
    before = running.get("MailDomain", running.a, "example.org")["metadata"]["resourceVersion"]
    version = found["version"]
    for _ in range(3):
        await running.settled()
    assert running.get("MailDomain", running.a, "example.org")["metadata"]["resourceVersion"] == before
    assert (await running.on_server())["version"] == version


async def test_what_is_changed_by_hand_is_put_back(running: Any) -> None:
    running.domain(running.a, maxUsers=5)
    await running.becomes(running.a, "Reconciled")
    wanted = (await running.on_server())["spec"]
    await running.root.patch("/api/v1/domains/example.org", json={"max_users": 9, "status": "suspended"})
    running.operator._server.forget()
    await running.settled()
    assert (await running.on_server())["spec"] == wanted


async def test_a_change_of_the_resource_reaches_the_server(running: Any) -> None:
    running.domain(running.a, aliases=["example.net"])
    await running.becomes(running.a, "Reconciled")
    running.patch("MailDomain", running.a, "example.org", {"spec": {"aliases": None, "suspended": True}})
    await running.becomes(running.a, "Reconciled")
    assert (await running.on_server())["spec"] == {"status": "suspended", "labels": {_LABEL: running.a}}


async def test_a_name_belongs_to_the_oldest_and_then_to_the_next(running: Any) -> None:
    running.domain(running.a, aliases=["example.net"], reclaimPolicy="Delete")
    await running.becomes(running.a, "Reconciled")
    running.domain(running.b, maxUsers=3)
    running.domain(running.b, "example.net")
    message = await running.becomes(running.b, "Conflict")
    assert message == f"example.org belongs to the MailDomain {running.a}/example.org."
    await running.becomes(running.b, "Conflict", name="example.net")
    assert running.condition(running.b, "Synced")[:2] == ("False", "Conflict")
    assert (await running.on_server())["spec"]["labels"] == {_LABEL: running.a}
    running.delete("MailDomain", running.b, "example.net")
    await running.until(lambda: running.get("MailDomain", running.b, "example.net") is None)
    assert (await running.on_server())["aliases"] == ["example.net"]
    running.delete("MailDomain", running.a, "example.org")
    await running.becomes(running.b, "Reconciled")
    assert (await running.on_server())["spec"] == {"max_users": 3, "labels": {_LABEL: running.b}}


async def test_an_older_resource_takes_no_name_away_by_an_alias(running: Any) -> None:
    running.domain(running.a, "thief.test")
    await running.becomes(running.a, "Reconciled", name="thief.test")
    running.domain(running.b, aliases=["example.net"])
    await running.becomes(running.b, "Reconciled")
    assert running.status(running.b)["aliases"] == ["example.net"]
    for name in ("example.org", "example.net"):
        running.patch("MailDomain", running.a, "thief.test", {"spec": {"aliases": [name]}})
        await running.becomes(running.a, "Conflict", name="thief.test")
        running.patch("MailDomain", running.b, "example.org", {"spec": {"maxUsers": 7 + len(name)}})
        await running.settled()
        assert running.condition(running.b, "Ready")[:2] == ("True", "Reconciled")
    running.patch("MailDomain", running.a, "thief.test", {"spec": {"aliases": None}})
    await running.becomes(running.a, "Reconciled", name="thief.test")


async def test_what_is_retained_is_for_the_same_namespace_only(running: Any) -> None:
    running.domain(running.a, maxUsers=4)
    await running.becomes(running.a, "Reconciled")
    await running.api.account("ann@example.org")
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    assert (await running.on_server())["max_users"] == 4
    running.domain(running.b)
    message = await running.becomes(running.b, "Conflict")
    assert running.a not in message
    assert (await running.on_server())["max_users"] == 4
    running.delete("MailDomain", running.b, "example.org")
    await running.until(lambda: running.get("MailDomain", running.b, "example.org") is None)
    running.domain(running.a, maxUsers=6)
    await running.becomes(running.a, "Reconciled")
    assert (await running.on_server())["max_users"] == 6
    assert running.status(running.a)["users"] == 1


async def test_a_domain_with_accounts_that_was_made_otherwise_is_only_for_the_home_namespace(running: Any) -> None:
    await running.api.account("ann@example.org")
    running.domain(running.a)
    await running.becomes(running.a, "Conflict")
    assert (await running.on_server())["spec"] == {}
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    running.domain(running.home)
    await running.becomes(running.home, "Reconciled")


async def test_a_spec_that_the_server_refuses(running: Any) -> None:
    running.domain(running.a, catchAll="nonsense")
    message = await running.becomes(running.a, "InvalidSpec")
    assert message.startswith("spec.catchAll: ")
    assert await running.on_server() is None
    running.patch("MailDomain", running.a, "example.org", {"spec": {"catchAll": "a@example.org"}})
    await running.becomes(running.a, "Reconciled")


async def test_an_alias_that_is_a_domain_of_the_server(running: Any) -> None:
    await running.root.put("/api/v1/domains/example.net", json={})
    running.domain(running.a, aliases=["example.net"])
    message = await running.becomes(running.a, "Conflict")
    assert "example.net" in message
    assert await running.on_server() is None


async def test_delete_waits_for_the_users_and_then_deletes_the_domain(running: Any) -> None:
    running.domain(running.a, reclaimPolicy="Delete")
    await running.becomes(running.a, "Reconciled")
    user = {"spec": {"address": "ann@example.org"}}
    running.make("MailUser", running.a, "ann", user, "mailraven.io/v1alpha1")
    await running.until(lambda: (running.a, "ann") in running.operator.world.users)
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: "DomainNotEmpty" in running.condition(running.a)[2])
    assert await running.on_server() is not None
    running.delete("MailUser", running.a, "ann")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    assert await running.on_server() is None


async def test_delete_never_deletes_accounts_that_nobody_wanted_deleted(running: Any) -> None:
    running.domain(running.a, reclaimPolicy="Delete")
    await running.becomes(running.a, "Reconciled")
    await running.api.account("ann@example.org")
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    assert (await running.on_server())["users"] == 1
    assert "DomainKept" in running.events(running.a)


async def test_the_name_does_not_change(running: Any) -> None:
    running.domain(running.a)
    await running.becomes(running.a, "Reconciled")
    try:
        running.patch("MailDomain", running.a, "example.org", {"spec": {"domain": "other.org"}})
    except KubeError as error:
        assert error.status == 422  # noqa: PT017 - the API server refuses, by a rule of the CRD
    else:
        raise AssertionError("the API server let the domain's name change")
