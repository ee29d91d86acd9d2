"""A real API server of Kubernetes, a real MailRaven server, and kinds that look at resources when a test says so."""

import asyncio
import base64
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import argon2
import httpx
import pytest

from mailraven.adminapi.server import HttpServer
from mailraven.testing.admin_api import AdminApi, running_admin_api
from mailraven.testing.kube_apiserver import MERGE, KubeApi, kube_api
from mailraven_operator.cluster import Cluster
from mailraven_operator.context import Context
from mailraven_operator.kube import NAMESPACES, SECRETS, Kube
from mailraven_operator.metrics import Metrics
from mailraven_operator.policies import RateLimitPolicies
from mailraven_operator.reconciler import Reconciler
from mailraven_operator.resources import ours
from mailraven_operator.server import Server
from mailraven_operator.settings import Settings
from mailraven_operator.users import MailUsers
from mailraven_operator.work_queue import Again
from mailraven_operator.world import World

__all__ = ["kube_api"]

Document = dict[str, Any]
_PLURALS = {"MailDomain": "maildomains", "MailUser": "mailusers", "RateLimitPolicy": "ratelimitpolicies"}
_numbers = itertools.count(1)


class Site:
    """Both sides. `home` is the operator's namespace; names of namespaces and domains are no other test's."""

    def __init__(
        self, kube_api: KubeApi, kube: Kube, api: AdminApi, root: httpx.AsyncClient, server: Server, token: Path
    ):
        self.kube_api = kube_api
        self.kube = kube
        self.api = api
        self.root = root
        self.number = next(_numbers)
        self.home = self.namespace("home")
        self.world = World()
        self.settings = Settings(
            namespace=self.home, server_url="http://127.0.0.1:9", token_file=token, mail_host="mail.example.test"
        )
        self.context = Context(kube, server, self.world, self.settings)
        self.users = MailUsers(listing_seconds=0.0)
        self.policies = RateLimitPolicies()
        metrics = Metrics()
        self._looks = {kind.model.KIND: Reconciler(kind, self.context, metrics) for kind in (self.users, self.policies)}
        self._namespaces = {self.home}

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """A new one."""
        made = self.kube_api.make_namespace(f"{name}-s{self.number}", labels)
        self._namespaces = {*getattr(self, "_namespaces", ()), made}
        return made

    async def domain(self, namespace: str, name: str, **spec: Any) -> str:
        """A MailDomain, and what its reconcile makes of it on the server."""
        self.make("MailDomain", namespace, name, spec)
        body = {"labels": {"mailraven.io/namespace": namespace}}
        assert (await self.root.put(f"/api/v1/domains/{name}", json=body)).status_code == 201
        return name

    def make(
        self, kind: str, namespace: str, name: str, spec: Document, labels: dict[str, str] | None = None
    ) -> Document:
        """A resource."""
        document = {
            "apiVersion": "mailraven.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": spec,
        }
        made: Document = self.kube_api.request("POST", _path(kind, namespace), document)
        return made

    async def next_second(self) -> None:
        """What is made from now on is younger than what is there: the API server counts in seconds."""
        second = int(time.time())
        while int(time.time()) == second:
            await asyncio.sleep(0.02)

    def change(self, kind: str, namespace: str, name: str, spec: Document, **metadata: Any) -> None:
        """A merge patch."""
        document = {"spec": spec, "metadata": metadata}
        self.kube_api.request("PATCH", f"{_path(kind, namespace)}/{name}", document, content_type=MERGE)

    def get(self, kind: str, namespace: str, name: str) -> Document:
        """As it is stored."""
        found: Document = self.kube_api.request("GET", f"{_path(kind, namespace)}/{name}")
        return found

    def secret(self, namespace: str, name: str, **plain: str) -> str:
        """Made or replaced; its name."""
        data = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": data,
        }
        self.kube_api.request(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/secrets/{name}",
            document,
            content_type="application/apply-patch+yaml",
            fieldManager="tests",
            force="true",
        )
        return name

    def read_secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Its data as plain text; None: there is none."""
        names = [item["metadata"]["name"] for item in self.secrets(namespace)]
        if name not in names:
            return None
        found = self.kube_api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        return {key: base64.b64decode(text).decode() for key, text in (found.get("data") or {}).items()}

    def secrets(self, namespace: str) -> list[Document]:
        """All of a namespace."""
        found: list[Document] = self.kube_api.request("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
        return found

    def delete_secret(self, namespace: str, name: str) -> None:
        """By hand."""
        self.kube_api.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{name}")

    async def see(self) -> None:
        """What the watches would tell."""
        for kind, plural in _PLURALS.items():
            listing = await self.kube.listing(ours(kind, plural))
            found = [one for one in listing.items if one["metadata"]["namespace"] in self._namespaces]
            self._take(kind, found, listing.resource_version)
        secrets = await self.kube.listing(SECRETS, metadata_only=True)
        self._take("Secret", secrets.items, secrets.resource_version)
        namespaces = await self.kube.listing(NAMESPACES)
        self._take("Namespace", namespaces.items, namespaces.resource_version)

    def _take(self, kind: str, documents: list[Document], version: str) -> None:
        listed = set()
        for document in documents:
            listed.add((document["metadata"].get("namespace", ""), document["metadata"]["name"]))
            self.world.take(kind, document)
        for key, (uid, _) in self.world.known(kind).items():
            if key not in listed:
                self.world.drop(kind, key, uid)

    async def look(self, kind: str, namespace: str, name: str, *, fresh: bool = True) -> Again:
        """As after an event, with what the server says now (`fresh`) or some seconds ago."""
        await self.see()
        if fresh:
            self.context.server.forget()
        again = await self._looks[kind].look((namespace, name))
        await self.see()
        return again

    async def delete(self, kind: str, namespace: str, name: str) -> Again:
        """With its finalizer worked off."""
        self.kube_api.request("DELETE", f"{_path(kind, namespace)}/{name}")
        return await self.look(kind, namespace, name)

    def conditions(self, kind: str, namespace: str, name: str) -> dict[str, tuple[str, str, str]]:
        """Status, reason and message of each."""
        status = self.get(kind, namespace, name).get("status", {})
        return {one["type"]: (one["status"], one["reason"], one["message"]) for one in status.get("conditions", ())}

    async def shown(self, path: str) -> Any:
        """What the admin API says; None: 404."""
        answer = await self.root.get(f"/api/v1/{path}")
        assert answer.status_code in (200, 404), answer.text
        return answer.json() if answer.status_code == 200 else None

    async def opens(self, address: str, password: str) -> bool:
        """Whether the password is that of the account."""
        answer = await self.api.client.post("/api/v1/session", json={"address": address, "password": password})
        return answer.status_code in (200, 201)


def _path(kind: str, namespace: str) -> str:
    return f"/apis/mailraven.io/v1alpha1/namespaces/{namespace}/{_PLURALS[kind]}"


@asynccontextmanager
async def _listening(api: AdminApi) -> AsyncIterator[str]:
    """The admin API on a socket; its URL."""
    server = HttpServer(api.app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await server.start([("http", listener, "")])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.drain(1)


@pytest.fixture
def kubeconfig(kube_api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the operator finds the API server."""
    monkeypatch.setenv("KUBECONFIG", str(kube_api.kubeconfig))
    return kube_api.kubeconfig


@pytest.fixture
async def site(kube_api: KubeApi, kubeconfig: Path, dsn: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Empty but for the home namespace."""
    token = tmp_path / "token"
    async with running_admin_api(dsn, tmp_path) as api, _listening(api) as url, await api.admin("tests") as root:
        token.write_text(await api.token("operator"))
        api.nouns.directory._passwords._hasher = argon2.PasswordHasher.from_parameters(argon2.profiles.CHEAPEST)
        async with Kube(Cluster()) as kube, Server(url, token) as server:
            yield Site(kube_api, kube, api, root, server, token)
