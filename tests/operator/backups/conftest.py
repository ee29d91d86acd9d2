"""A real API server, the frame's reconciler on it, and somebody who plays the Job controller."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import KubeApi, KubeError, kube_api, kube_namespace
from mailraven_operator.backups import KINDS
from mailraven_operator.cluster import Cluster
from mailraven_operator.context import Context
from mailraven_operator.kube import Kube
from mailraven_operator.metrics import Metrics
from mailraven_operator.reconciler import Reconciler
from mailraven_operator.server import Server
from mailraven_operator.settings import Settings
from mailraven_operator.work_queue import Again
from mailraven_operator.world import World

from .job_player import JobPlayer

__all__ = ["kube_api", "kube_namespace"]
Document = dict[str, Any]
GOLDEN = Path(__file__).parent / "golden"
PLURALS = {one.model.KIND: one.plural for one in KINDS}


class Backstage:
    """A namespace, and an operator in it that looks when it is told to."""

    def __init__(self, api: KubeApi, namespace: str, kube: Kube, world: World, directory: Path) -> None:
        self.api = api
        self.namespace = namespace
        self.world = world
        self.template = directory / "job-template.yaml"
        self.template.write_text((GOLDEN / "template.yaml").read_text())
        self.player = JobPlayer(api, namespace, directory)
        self.later = timedelta()
        settings = Settings(namespace=namespace, job_template=self.template, token_file=directory / "token")
        server = Server("http://127.0.0.1:9", settings.token_file)
        context = Context(kube, server, world, settings, lambda: datetime.now(UTC) + self.later)
        self.reconcilers = {one.model.KIND: Reconciler(one, context, Metrics()) for one in KINDS}

    def set_env(self, **variables: str) -> None:
        """Of the pods of Jobs."""
        template = yaml.safe_load(self.template.read_text())
        container = template["spec"]["containers"][0]
        container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
        container.pop("args")
        self.template.write_text(yaml.safe_dump(template))

    def path(self, kind: str, name: str = "", namespace: str = "") -> str:
        where = f"/apis/mailraven.io/v1alpha1/namespaces/{namespace or self.namespace}/{PLURALS[kind]}"
        return f"{where}/{name}" if name else where

    def make(self, kind: str, name: str, namespace: str = "", **spec: Any) -> Document:
        """A resource."""
        document = {"apiVersion": "mailraven.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self.api.request("POST", self.path(kind, namespace=namespace), document)

    def secret(self, name: str, **data: str) -> None:
        encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
        document = {"metadata": {"name": name}, "data": encoded}
        self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/secrets", document)

    def see(self, kind: str, name: str, namespace: str = "") -> Document:
        """The resource as it is now; the operator sees it too."""
        found = self.api.request("GET", self.path(kind, name, namespace))
        self.world.take(kind, found)
        return found

    async def look(self, kind: str, name: str, namespace: str = "") -> Document:
        """Reconciles, and returns the status."""
        await self.again(kind, name, namespace)
        return self.see(kind, name, namespace).get("status", {})

    async def again(self, kind: str, name: str, namespace: str = "") -> Again:
        self.see(kind, name, namespace)
        return await self.reconcilers[kind].look((namespace or self.namespace, name))

    def batch(self, plural: str) -> list[Document]:
        """Jobs or CronJobs of the namespace."""
        items = self.api.request("GET", f"/apis/batch/v1/namespaces/{self.namespace}/{plural}")["items"]
        return sorted(items, key=lambda one: one["metadata"]["name"])

    def delete(self, plural: str, name: str) -> None:
        path = f"/apis/batch/v1/namespaces/{self.namespace}/{plural}/{name}"
        try:
            self.api.request("DELETE", path, {"propagationPolicy": "Background"})
        except KubeError as error:
            if error.status != 404:
                raise

    def events(self) -> list[str]:
        found = self.api.request("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return sorted(one["reason"] for one in found)


@pytest.fixture
async def backstage(
    kube_api: KubeApi, kube_namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backstage]:
    monkeypatch.setenv("KUBECONFIG", str(kube_api.kubeconfig))
    world = World()
    async with Kube(Cluster(), world.version) as kube:
        yield Backstage(kube_api, kube_namespace, kube, world, tmp_path)


def condition(status: Document, kind: str = "Ready") -> tuple[str, str, str]:
    """Status, reason and message."""
    found = next((one for one in status.get("conditions", ()) if one["type"] == kind), {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")
