"""kopf as the watcher: what it misses, and what happens when it breaks off."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from mailraven.testing.kube_apiserver import KubeApi
from mailraven_operator.watch import Watch


async def test_what_went_while_nobody_watched_is_noticed(
    users: Any, probe: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.finalizes = False
    monkeypatch.setattr("mailraven_operator.feed.Feed.event", lambda *_: None)
    users.make("ann")
    async with operate(resync_seconds=0.3) as operator:
        await until(lambda: users.ready("ann")[0] == "True")
        users.delete("ann")
        users.make("bob")
        await until(lambda: users.ready("bob")[0] == "True")
        assert (users.namespace, "ann") not in operator.world.users


async def test_a_broken_watch_is_begun_anew(
    users: Any, probe: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    real = Watch._operate

    async def breaking(self: Watch, loop: asyncio.AbstractEventLoop) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("no way in")
        await real(self, loop)

    monkeypatch.setattr(Watch, "_operate", breaking)
    async with operate(resync_seconds=300):
        await until(lambda: calls >= 2)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")


async def test_a_watch_that_misses_something_is_begun_anew(
    users: Any, probe: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when kopf did not find the kind."""
    calls = 0
    real = Watch._operate

    async def blind_at_first(self: Watch, loop: asyncio.AbstractEventLoop) -> None:
        nonlocal calls
        calls += self._name == "wide"
        if calls > 1 or self._name != "wide":
            await real(self, loop)
        while not self._stop.is_set():
            await asyncio.sleep(0.05)

    monkeypatch.setattr(Watch, "_operate", blind_at_first)
    async with operate(resync_seconds=1) as operator:
        await until(lambda: operator.ready)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")
        await until(lambda: calls > 1)


async def test_kopf_that_found_too_little_is_begun_anew(
    users: Any, probe: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailraven_operator.watch._OPEN_SECONDS", 2.0)
    calls = 0
    real = Watch._register

    def forgetting(self: Watch, registry: Any, resource: Any, loop: Any, *, whole: bool) -> None:
        nonlocal calls
        calls += resource.plural == "mailusers"
        if calls != 1 or resource.plural != "mailusers":
            real(self, registry, resource, loop, whole=whole)

    monkeypatch.setattr(Watch, "_register", forgetting)
    async with operate() as operator:
        await until(lambda: calls == 2)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")
        assert operator.metrics.registry.get_sample_value("mailraven_operator_watch_restarts_total") == 1


@pytest.mark.parametrize("everywhere", [True, False], ids=["cluster", "namespaces"])
async def test_watches_that_work_go_on(
    users: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    monkeypatch.setattr("mailraven_operator.watch._OPEN_SECONDS", 3.0)
    async with operate(namespaces=() if everywhere else (users.namespace,)) as operator:
        await until(lambda: operator.ready)
        checked = time.monotonic() + 5
        await until(lambda: time.monotonic() > checked)
        assert operator.metrics.registry.get_sample_value("mailraven_operator_watch_restarts_total") == 0


async def test_it_outlives_the_api_server(own_kube_api: KubeApi, operate_on: Callable[..., Any], until: Any) -> None:
    users, operate = operate_on(own_kube_api)
    users.make("ann")
    async with operate():
        await until(lambda: users.ready("ann")[0] == "True")
        await asyncio.to_thread(own_kube_api.stop)
        await asyncio.to_thread(own_kube_api.start)
        users.make("bob")
        await until(lambda: users.ready("bob")[0] == "True", 60)


async def test_a_kind_that_comes_later_is_watched(
    own_kube_api: KubeApi, operate_on: Callable[..., Any], until: Any
) -> None:
    """As when cert-manager is installed after MailRaven."""
    users, operate = operate_on(own_kube_api)
    async with operate(resync_seconds=1) as operator:
        await until(lambda: operator.ready)
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"plural": "certificates", "singular": "certificate", "kind": "Certificate"}
        await asyncio.to_thread(
            own_kube_api.install,
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "certificates.cert-manager.io"},
                "spec": {"group": "cert-manager.io", "names": names, "scope": "Namespaced", "versions": [version]},
            },
        )
        labels = {"app.kubernetes.io/managed-by": "mailraven-operator"}
        own_kube_api.request(
            "POST",
            f"/apis/cert-manager.io/v1/namespaces/{users.namespace}/certificates",
            {
                "apiVersion": "cert-manager.io/v1",
                "kind": "Certificate",
                "metadata": {"name": "example.org-tls", "labels": labels},
            },
        )
        await until(lambda: operator.world.version("Certificate", (users.namespace, "example.org-tls")), 40)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")


async def test_kopf_that_gives_up_is_begun_anew(
    users: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CRD that was removed, a right that was taken away: an error within kopf, after it had begun."""
    settings = Watch._settings
    calls = 0

    def wrong_at_first(self: Watch) -> Any:
        nonlocal calls
        found = settings(self)
        if self._name == "wide":
            calls += 1
            if calls == 1:
                found.watching.server_timeout = 0.5  # no number for the API server: 400
        return found

    monkeypatch.setattr(Watch, "_settings", wrong_at_first)
    async with operate() as operator:
        await until(lambda: calls == 2, 60)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")
        assert operator.metrics.registry.get_sample_value("mailraven_operator_watch_restarts_total") == 1


async def test_kopf_that_neither_works_nor_ends_is_left(
    users: Any, operate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailraven_operator.watch._OPEN_SECONDS", 1.0)
    monkeypatch.setattr("mailraven_operator.watch._END_SECONDS", 0.5)
    real = kopf.operator
    calls = 0

    async def stuck_at_first(**settings: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:  # one for each of the two watches
            await real(**settings)
        for _ in range(10_000):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(kopf, "operator", stuck_at_first)
    async with operate():
        await until(lambda: calls == 4)
        monkeypatch.setattr("mailraven_operator.watch._OPEN_SECONDS", 20.0)
        users.make("ann")
        await until(lambda: users.ready("ann")[0] == "True")
