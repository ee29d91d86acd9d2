"""One replica: from a resource in the API server to its conditions."""

import copy
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mailraven.testing.kube_apiserver import KubeApi, KubeError
from mailraven_operator.outcome import ConditionValue, Event, Outcome, Problem
from mailraven_operator.server import ServerRefused, ServerUnreachable


async def test_a_resource_becomes_ready(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate():
        await until(lambda: users.ready("ann") == ("True", "Reconciled"))
        found = users.get("ann")
        assert found["status"]["address"] == "ann@example.org"
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        assert found["status"]["conditions"][-1]["observedGeneration"] == found["metadata"]["generation"]
        assert found["metadata"]["finalizers"] == ["mailraven.io/finalizer"]
        assert not [name for name in found["metadata"].get("annotations", {}) if "kopf" in name]
        users.make("bob")
        await until(lambda: users.ready("bob") == ("True", "Reconciled"), 10)


async def test_our_own_writes_start_no_further_look(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate() as operator:
        await until(lambda: users.ready("ann")[0] == "True")
        users.patch("ann", {"spec": {"displayName": "Ann"}})
        await until(lambda: users.get("ann")["status"]["observedGeneration"] == 2)
        await until(lambda: operator.world.users[(users.namespace, "ann")].status.observed_generation == 2)
        await operator.queue.drained()
    assert probe.looks == ["ann", "ann"]


async def test_a_changed_secret_starts_a_look(
    kube_api: KubeApi, users: Any, probe: Any, operate: Any, until: Any
) -> None:
    users.make("ann", passwordSecretRef={"name": "pw"})
    secrets = f"/api/v1/namespaces/{users.namespace}/secrets"
    async with operate() as operator:
        await until(lambda: users.ready("ann")[0] == "True")
        await until(lambda: len(probe.looks) == 1)
        made = kube_api.request("POST", secrets, {"metadata": {"name": "pw"}, "stringData": {"password": "x"}})
        await until(lambda: len(probe.looks) == 2)
        version = f"{made['metadata']['uid']}/{made['metadata']['resourceVersion']}"
        assert operator.world.secret_version(users.namespace, "pw") == version
        kube_api.request("DELETE", f"{secrets}/pw")
        await until(lambda: len(probe.looks) == 3)
        assert operator.world.secret_version(users.namespace, "pw") is None


async def test_problems_become_conditions_and_are_tried_again(users: Any, probe: Any, operate: Any, until: Any) -> None:
    synced = ConditionValue("Synced", False, "SecretNotFound", "the Secret pw is not there")
    failing = True

    async def answer(_context: Any, _resource: Any) -> Outcome:
        if failing:
            raise Problem("SecretNotFound", "the Secret pw is not there", conditions=(synced,))
        return Outcome(conditions=(ConditionValue("Synced", True, "Reconciled"),))

    probe.answer = answer
    users.make("ann")
    async with operate():
        await until(lambda: users.ready("ann") == ("False", "SecretNotFound"))
        assert [item["type"] for item in users.get("ann")["status"]["conditions"]] == ["Synced", "Ready"]
        await until(lambda: len(probe.looks) > 2)
        failing = False
        await until(lambda: users.ready("ann") == ("True", "Reconciled"))
        assert users.conditions("ann")["Synced"]["status"] == "True"
    events = {(event["type"], event["reason"]) for event in users.events("ann")}
    assert events == {("Warning", "SecretNotFound"), ("Normal", "Reconciled")}
    assert len(users.events("ann")) == 2


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (ServerUnreachable("nobody is there"), "ServerUnreachable", "nobody is there"),
        (
            ServerRefused(422, "Invalid", "/quota_bytes: too much", "/quota_bytes"),
            "InvalidSpec",
            "/quota_bytes: too much",
        ),
        (ServerRefused(409, "Conflict", "taken"), "ServerRefused", "the server refuses: taken"),
        (RuntimeError("a secret: s3cret"), "InternalError", "a defect of the operator; its log tells more"),
    ],
)
async def test_every_error_is_a_condition(
    users: Any, probe: Any, operate: Any, until: Any, error: Exception, reason: str, text: str
) -> None:
    async def answer(_context: Any, _resource: Any) -> Outcome:
        raise error

    probe.answer = answer
    users.make("ann")
    async with operate():
        await until(lambda: users.ready("ann") == ("False", reason))
        assert text in users.conditions("ann")["Ready"]["message"]
        assert "s3cret" not in str(users.get("ann"))


async def test_a_short_outage_of_the_server_changes_no_condition(
    users: Any, probe: Any, operate: Any, until: Any
) -> None:
    away = False

    async def answer(_context: Any, _resource: Any) -> Outcome:
        if away:
            raise ServerUnreachable("restarting")
        return Outcome()

    probe.answer = answer
    users.make("ann")
    async with operate(resync_seconds=0.5):
        await until(lambda: users.ready("ann")[0] == "True")
        away = True
        before, looks = users.get("ann"), len(probe.looks)
        await until(lambda: len(probe.looks) >= looks + 3)
        away = False
        looks = len(probe.looks)
        await until(lambda: len(probe.looks) >= looks + 3)
        assert users.get("ann") == before


async def test_an_unchanged_world_is_not_written_to(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate(resync_seconds=0.2):
        await until(lambda: users.ready("ann")[0] == "True")
        before = users.get("ann")["metadata"]["resourceVersion"]
        looks = len(probe.looks)
        await until(lambda: len(probe.looks) > looks + 5)
        assert users.get("ann")["metadata"]["resourceVersion"] == before
    assert len(users.events("ann")) == 1


async def test_status_written_by_hand_is_repaired(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate(resync_seconds=0.2):
        await until(lambda: users.ready("ann")[0] == "True")
        users.patch("ann", {"status": {"address": "eve@example.org", "messages": 7}}, "status")
        await until(lambda: users.get("ann")["status"].get("messages") is None)
        assert users.get("ann")["status"]["address"] == "ann@example.org"


async def test_a_deleted_resource_is_finalized(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate() as operator:
        await until(lambda: users.ready("ann")[0] == "True")
        users.delete("ann")
        await until(lambda: users.names() == [])
        await until(lambda: (users.namespace, "ann") not in operator.world.users)
    assert probe.farewells == ["ann"]


async def test_a_server_that_refuses_holds_the_resource_and_says_why(
    users: Any, probe: Any, operate: Any, until: Any
) -> None:
    async def farewell(_context: Any, _resource: Any) -> None:
        raise Problem("DomainInUse", "example.org has 3 accounts that no resource manages")

    probe.farewell = farewell
    users.make("ann")
    async with operate(finalizer_timeout=0):
        await until(lambda: users.ready("ann")[0] == "True")
        users.delete("ann")
        await until(lambda: users.ready("ann") == ("False", "Deleting"))
        assert "3 accounts" in users.conditions("ann")["Ready"]["message"]
        await until(lambda: len(probe.farewells) > 2)
        assert users.names() == ["ann"]
        users.patch("ann", {"metadata": {"annotations": {"mailraven.io/pause": "true"}}})
        await until(lambda: users.names() == [])
    assert "ReleasedWhilePaused" in {event["reason"] for event in users.events("ann")}


async def test_a_server_that_is_gone_lets_go(users: Any, probe: Any, operate: Any, until: Any) -> None:
    async def farewell(_context: Any, _resource: Any) -> None:
        raise ServerUnreachable("nobody is there")

    probe.farewell = farewell
    users.make("ann")
    async with operate(finalizer_timeout=2):
        await until(lambda: users.ready("ann")[0] == "True")
        users.delete("ann")
        await until(lambda: users.ready("ann") == ("False", "Deleting"))
        await until(lambda: users.names() == [])
    assert "FinalizerTimeout" in {event["reason"] for event in users.events("ann")}


async def test_a_paused_resource_is_left_alone(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann", annotations={"mailraven.io/pause": "true"})
    async with operate():
        await until(lambda: users.conditions("ann").get("ReconciliationPaused", {}).get("status") == "True")
        assert probe.looks == []
        users.patch("ann", {"metadata": {"annotations": {"mailraven.io/pause": None}}})
        await until(lambda: users.ready("ann")[0] == "True")
        assert "ReconciliationPaused" not in users.conditions("ann")
        users.patch("ann", {"metadata": {"annotations": {"mailraven.io/pause": "true"}}, "spec": {"displayName": "A"}})
        await until(lambda: "ReconciliationPaused" in users.conditions("ann"))
        assert users.ready("ann") == ("True", "Reconciled")
        assert len(probe.looks) == 1


def _store_unchecked(kube_api: KubeApi, users: Any, name: str, **spec: Any) -> None:
    """As if the CRD had been another one: the API server keeps what it let in."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mailusers.mailraven.io"
    strict = kube_api.request("GET", path)
    loose = copy.deepcopy(strict)
    properties = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    loose = kube_api.request("PUT", path, loose)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                users.make(name, **spec)
                break
            except KubeError:
                if time.monotonic() > deadline:
                    raise
    finally:
        strict["metadata"]["resourceVersion"] = kube_api.request("GET", path)["metadata"]["resourceVersion"]
        kube_api.request("PUT", path, strict)


async def test_a_stored_resource_that_no_longer_fits_is_invalid(
    own_kube_api: KubeApi, operate_on: Callable[..., Any], probe: Any, until: Any
) -> None:
    users, operate = operate_on(own_kube_api)
    _store_unchecked(own_kube_api, users, "old", displayName="x" * 300)
    _store_unchecked(own_kube_api, users, "older", quota={"soft": "1Gi"})
    async with operate():
        await until(lambda: users.ready("old") == ("False", "InvalidSpec"))
        assert "spec.displayName: " in users.conditions("old")["Ready"]["message"]
        # The API server takes no status for this one: it cannot even judge it.
        events = await until(lambda: users.events("older"))
        assert events[0]["reason"] == "InvalidSpec"
        assert "spec.quota" in events[0]["message"]
    assert probe.looks == []


async def test_events_and_drift_of_a_kind_are_told(users: Any, probe: Any, operate: Any, until: Any) -> None:
    async def answer(_context: Any, _resource: Any) -> Outcome:
        first = len(probe.looks) == 1
        return Outcome(
            events=(Event("PasswordChanged", "the account has the password of the Secret"),) if first else (),
            repaired=("displayName",) if first else (),
        )

    probe.answer = answer
    users.make("ann")
    async with operate() as operator:
        await until(lambda: len(users.events("ann")) == 2)
        assert (
            operator.metrics.registry.get_sample_value("mailraven_operator_drift_repaired_total", {"kind": "MailUser"})
            == 1
        )


async def test_health_and_metrics(users: Any, probe: Any, operate: Any, until: Any) -> None:
    users.make("ann")
    async with operate() as operator:
        await until(lambda: users.ready("ann")[0] == "True")
        host, port = operator.health.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
            assert (await client.get("/livez")).text == "ok\n"
            assert (await client.get("/readyz")).status_code == 200
            text = (await client.get("/metrics")).text
    assert 'mailraven_operator_reconciles_total{kind="MailUser",result="ok"} 1.0' in text
    assert 'mailraven_operator_resources{kind="MailUser",state="valid"} 1.0' in text
    assert "mailraven_operator_leader 1.0" in text
    assert 'mailraven_operator_queue_length{state="ready"} 0.0' in text
