"""The frame with a small kind of its own, against a real API server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mailraven.testing.kube_apiserver import KubeApi, kube_namespace, running_kube_api
from mailraven_api.kubernetes import API_VERSION, MailUser
from mailraven_operator.cluster import Cluster
from mailraven_operator.context import Context
from mailraven_operator.kube import Kube
from mailraven_operator.operator import Operator
from mailraven_operator.outcome import Outcome
from mailraven_operator.settings import Settings
from mailraven_operator.world import Key, World

__all__ = ["kube_namespace"]

USERS = "/apis/mailraven.io/v1alpha1/namespaces/{}/mailusers"


@dataclass
class Probe:
    """A kind whose looks do what a test wants, and are counted."""

    plural: ClassVar[str] = "mailusers"
    model: ClassVar[type[Any]] = MailUser
    finalizes: bool = True
    answer: Callable[[Context, Any], Awaitable[Outcome]] | None = None
    farewell: Callable[[Context, Any], Awaitable[None]] | None = None
    looks: list[str] = field(default_factory=list)
    farewells: list[str] = field(default_factory=list)

    async def reconcile(self, context: Context, resource: Any) -> Outcome:
        self.looks.append(resource.metadata.name)
        if self.answer is not None:
            return await self.answer(context, resource)
        return Outcome(status={"address": resource.spec.address})

    async def finalize(self, context: Context, resource: Any) -> None:
        self.farewells.append(resource.metadata.name)
        if self.farewell is not None:
            await self.farewell(context, resource)

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        if resource_kind == "Secret":
            return world.referring("MailUser", key)
        return ()


class Users:
    """MailUsers of a namespace, as a person with kubectl has them."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api = api
        self.namespace = namespace
        self._path = USERS.format(namespace)

    def make(self, name: str = "ann", **spec: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "namespace": self.namespace}
        metadata |= {key: spec.pop(key) for key in ("annotations", "labels") if key in spec}
        document = {
            "apiVersion": API_VERSION,
            "kind": "MailUser",
            "metadata": metadata,
            "spec": {"address": f"{name}@example.org", **spec},
        }
        return self._api.request("POST", self._path, document)

    def get(self, name: str = "ann") -> dict[str, Any]:
        return self._api.request("GET", f"{self._path}/{name}")

    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self._api.request("GET", self._path)["items"]]

    def patch(self, name: str, document: dict[str, Any], subresource: str = "") -> dict[str, Any]:
        path = f"{self._path}/{name}" + (f"/{subresource}" if subresource else "")
        return self._api.request("PATCH", path, document, content_type="application/merge-patch+json")

    def delete(self, name: str = "ann") -> None:
        self._api.request("DELETE", f"{self._path}/{name}")

    def conditions(self, name: str = "ann") -> dict[str, dict[str, Any]]:
        found = self.get(name).get("status", {}).get("conditions", [])
        return {condition["type"]: condition for condition in found}

    def ready(self, name: str = "ann") -> tuple[str, str]:
        """Status and reason."""
        condition = self.conditions(name).get("Ready", {})
        return condition.get("status", ""), condition.get("reason", "")

    def events(self, name: str = "ann") -> list[dict[str, Any]]:
        found = self._api.request("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return [event for event in found if event["involvedObject"]["name"] == name]


@pytest.fixture
def users(kube_api: KubeApi, kube_namespace: str) -> Users:
    return Users(kube_api, kube_namespace)


@pytest.fixture
def kube_cluster(kube_api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(kube_api.kubeconfig))
    return Cluster()


@pytest.fixture
async def kube(kube_cluster: Cluster) -> AsyncIterator[Kube]:
    async with Kube(kube_cluster) as made:
        yield made


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def settings(kube_namespace: str, tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text("mr_test")
    return Settings(
        namespace=kube_namespace,
        namespaces=(kube_namespace,),
        server_url="http://127.0.0.1:9",  # nobody listens there
        token_file=token,
        port=0,
        host="127.0.0.1",
        lease_seconds=120,  # a lost one ends the process: that of the tests
        backoff_longest=1,
    )


@pytest.fixture
def operate(settings: Settings, kube_cluster: Cluster, probe: Probe) -> Callable[..., Any]:
    """`async with operate(resync_seconds=5) as operator:` is a replica in this process."""
    return _operating(settings, kube_cluster, probe)


@pytest.fixture
def operate_on(
    settings: Settings, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> Callable[[KubeApi], tuple[Users, Callable[..., Any]]]:
    """The same for another API server, and its MailUsers."""

    def prepare(api: KubeApi) -> tuple[Users, Callable[..., Any]]:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
        return Users(api, api.make_namespace(settings.namespace)), _operating(settings, Cluster(), probe)

    return prepare


@pytest.fixture
def running() -> Callable[[Operator], Any]:
    """`async with running(operator):` in this process."""
    return _running


def _operating(settings: Settings, cluster: Cluster, probe: Probe) -> Callable[..., Any]:
    return lambda **changes: _running(Operator(settings.model_copy(update=changes), [probe], cluster))


@asynccontextmanager
async def _running(operator: Operator) -> AsyncIterator[Operator]:
    task = asyncio.create_task(operator.run(signals=False))
    try:
        yield operator
    finally:
        operator.stop()
        await task


@pytest.fixture
def own_kube_api(kube_api: KubeApi, tmp_path: Path) -> Iterator[KubeApi]:
    """One that a test may stop."""
    with running_kube_api(tmp_path) as api:
        yield api


@pytest.fixture
def until() -> Callable[..., Awaitable[Any]]:
    """What a condition says as soon as it is true; it is asked in a thread."""

    async def wait(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := await asyncio.to_thread(condition)):
            if time.monotonic() > deadline:
                raise AssertionError("it does not become true")
            await asyncio.sleep(0.05)
        return found

    return wait
