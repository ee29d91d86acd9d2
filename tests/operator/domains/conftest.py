"""A real API server of Kubernetes, a real MailRaven server with a DNS of its own, and the operator between them."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.adminapi.server import HttpServer
from mailraven.testing.admin_api import AdminApi, running_admin_api
from mailraven.testing.authority import Issued
from mailraven.testing.dns_server import DnsServer
from mailraven.testing.kube_apiserver import MERGE, KubeApi, KubeError, kube_api
from mailraven_api.kubernetes import MailUser
from mailraven_operator.domains import MailDomains
from mailraven_operator.operator import Operator
from mailraven_operator.outcome import Outcome
from mailraven_operator.settings import Settings

__all__ = ["kube_api"]

Document = dict[str, Any]
_PATHS = {
    "MailDomain": "/apis/mailraven.io/v1alpha1/namespaces/{}/maildomains",
    "MailUser": "/apis/mailraven.io/v1alpha1/namespaces/{}/mailusers",
    "Certificate": "/apis/cert-manager.io/v1/namespaces/{}/certificates",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Event": "/api/v1/namespaces/{}/events",
}
_CERTIFICATES = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/certificates.cert-manager.io"
_SECONDS = 60.0
_numbers = itertools.count(1)
_ZONES = {
    "example.test": "mail A 9.9.9.9",
    "in-addr.arpa": "9.9.9.9 PTR mail.example.test.",
    "example.org": "mx A 9.9.9.9",
    "example.net": "",
    "example.com": "",
}


class PlainWatch:
    """Watches as the frame's own does, without kopf: that is tested with the frame, and takes seconds to start."""

    def __init__(
        self,
        name: str,
        primary: Any,
        secondary: Any,
        namespaces: Any,
        deliver: Any,
        *,
        broke_off: Any = None,
        served: Any = None,
    ) -> None:
        self._places = [
            (resource, resource.path(namespace))
            for resource in (*primary, *(one.resource for one in secondary))
            for namespace in (namespaces if resource.namespaced else [None])
        ]
        self._deliver = deliver
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(*place)) for place in self._places]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, resource: Any, path: str) -> None:
        kubeconfig = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        async with (
            httpx.AsyncClient(
                base_url=cluster["server"],
                verify=ssl.create_default_context(cafile=cluster["certificate-authority"]),
                headers={"Authorization": f"Bearer {user['token']}"},
                timeout=None,
                trust_env=False,
            ) as client,
            client.stream("GET", path, params={"watch": "true"}) as stream,
        ):
            async for line in stream.aiter_lines():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    event["object"]["kind"] = resource.kind
                    self._deliver(resource.kind, event["type"], event["object"])


class QuietUsers:
    """Looks after no MailUser, so that there can be some."""

    plural = "mailusers"
    model = MailUser
    finalizes = False

    async def reconcile(self, context: Any, resource: Any) -> Outcome:
        return Outcome()

    async def finalize(self, context: Any, resource: Any) -> None:
        return None

    def touched_by(self, world: Any, resource_kind: str, key: Any) -> Any:
        return ()


class Bench:
    """What a test does to the two sides, and what it sees there. `a` and `b` are namespaces, `home` the operator's."""

    def __init__(self, kube: KubeApi, api: AdminApi, root: httpx.AsyncClient, dns: DnsServer) -> None:
        self.kube = kube
        self.api = api
        self.root = root
        self.dns = dns
        number = f"{os.getpid()}-{next(_numbers)}"
        self.home, self.a, self.b = (kube.make_namespace(f"{name}-{number}") for name in ("home", "a", "b"))
        self.operator: Operator | None = None
        self.task: asyncio.Task[None] | None = None
        self._later = 0.0

    def now(self) -> float:
        """The clock by which the DNS is asked."""
        return time.monotonic() + self._later

    async def later(self, seconds: float = 3600) -> None:
        """The DNS is asked once more."""
        self._later += seconds
        await self.settled()

    def path(self, kind: str, namespace: str, name: str = "") -> str:
        return _PATHS[kind].format(namespace) + (f"/{name}" if name else "")

    def domain(self, namespace: str, name: str = "example.org", **spec: Any) -> Document:
        """Makes a MailDomain."""
        return self.make("MailDomain", namespace, name, {"spec": spec}, "mailraven.io/v1alpha1")

    def make(self, kind: str, namespace: str, name: str, rest: Document, version: str = "v1") -> Document:
        """Makes an object."""
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": name}} | rest
        made: Document = self.kube.request("POST", self.path(kind, namespace), document)
        return made

    def patch(self, kind: str, namespace: str, name: str, patch: Document, *, status: bool = False) -> Document:
        """A merge patch."""
        path = self.path(kind, namespace, name) + ("/status" if status else "")
        patched: Document = self.kube.request("PATCH", path, patch, content_type=MERGE)
        return patched

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        try:
            found: Document = self.kube.request("GET", self.path(kind, namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return found

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.kube.request("DELETE", self.path(kind, namespace, name))

    def secret(self, namespace: str, name: str, issued: Issued, **annotations: str) -> None:
        """Makes or replaces a Secret with a certificate."""
        data = {"tls.crt": issued.chain, "tls.key": issued.private_key}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        if self.get("Secret", namespace, name) is not None:
            self.patch("Secret", namespace, name, {"data": encoded})
            return
        metadata = {"name": name, "annotations": annotations}
        self.make("Secret", namespace, name, {"metadata": metadata, "type": "kubernetes.io/tls", "data": encoded})

    def condition(self, namespace: str, kind: str = "Ready", name: str = "example.org") -> tuple[str, str, str]:
        """Status, reason and message of a condition about the present generation; empty texts without one."""
        found = self.get("MailDomain", namespace, name) or {}
        for one in found.get("status", {}).get("conditions", ()):
            if one["type"] == kind and one["observedGeneration"] == found["metadata"]["generation"]:
                return one["status"], one["reason"], one["message"]
        return "", "", ""

    def status(self, namespace: str, name: str = "example.org") -> Document:
        found = self.get("MailDomain", namespace, name)
        assert found is not None
        status: Document = found["status"]
        return status

    async def becomes(self, namespace: str, reason: str, kind: str = "Ready", name: str = "example.org") -> str:
        """Waits for the reason of a condition: its message."""
        await self.until(
            lambda: self.condition(namespace, kind, name)[1] == reason, lambda: f"{self._shown(namespace)}"
        )
        return self.condition(namespace, kind, name)[2]

    async def until(self, look: Callable[[], Any], explain: Callable[[], str] = lambda: "") -> Any:
        """Waits until it is true: what it is."""
        deadline = time.monotonic() + _SECONDS
        while True:
            assert self.task is None or not self.task.done(), "the operator has ended"
            found = look()
            if hasattr(found, "__await__"):
                found = await found
            if found:
                return found
            assert time.monotonic() < deadline, explain()
            await asyncio.sleep(0.05)

    async def settled(self) -> None:
        """Waits until the operator has nothing to do, after it looked at every domain once more."""
        operator = self._running()
        for kind, key in [("MailDomain", key) for key in operator.world.domains]:
            operator.queue.add((kind, *key))
        async with asyncio.timeout(_SECONDS):
            await operator.queue.drained()

    async def on_server(self, name: str = "example.org") -> Document | None:
        """The domain as the admin API shows it."""
        answer = await self.root.get(f"/api/v1/domains/{name}")
        return answer.json() if answer.status_code == 200 else None

    async def certificates(self) -> dict[str, list[str]]:
        """What the server has: names by the name of the certificate."""
        items = (await self.root.get("/api/v1/certificates")).json()["items"]
        return {item["name"]: item["names"] for item in items}

    async def keys(self, name: str = "example.org") -> dict[str, str]:
        """Kind and state of the DKIM keys by selector."""
        items = (await self.root.get(f"/api/v1/domains/{name}/dkim")).json()["items"]
        return {item["selector"]: f"{item['algorithm']}-{item['key_size']} {item['state']}" for item in items}

    async def publish(self, name: str = "example.org") -> None:
        """What the server wants to be in the DNS is there."""
        zone = (await self.root.get(f"/api/v1/domains/{name}/dns", params={"format": "zone"})).text
        self.dns.add_zone(name, zone)

    def events(self, namespace: str) -> list[str]:
        """Reasons of the Events."""
        return [one["reason"] for one in self.kube.request("GET", self.path("Event", namespace))["items"]]

    def _running(self) -> Operator:
        assert self.operator is not None
        return self.operator

    def _shown(self, namespace: str) -> str:
        items = self.kube.request("GET", self.path("MailDomain", namespace))["items"]
        return "\n".join(f"{item['metadata']['name']}: {item.get('status')}" for item in items)


@pytest.fixture
async def bench(kube_api: KubeApi, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Both servers; the operator is not started yet."""
    monkeypatch.setenv("KUBECONFIG", str(kube_api.kubeconfig))
    monkeypatch.setattr("mailraven_operator.operator.Watch", PlainWatch)
    async with (
        DnsServer(_ZONES) as dns,
        running_admin_api(dsn, tmp_path, config={"delivery": {"resolver": [dns.endpoint]}}) as api,
        await api.admin() as root,
    ):
        yield Bench(kube_api, api, root, dns)


@pytest.fixture
async def running(bench: Bench, tmp_path: Path) -> AsyncIterator[Bench]:
    """With the operator at work."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server = HttpServer(bench.api.app)
    await server.start([("http", listening, "none")])
    token_file = tmp_path / "token"
    token_file.write_text(await bench.api.token("operator"))
    settings = Settings(
        server_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
        token_file=token_file,
        namespace=bench.home,
        namespaces=(bench.home, bench.a, bench.b),
        mail_host="mail.provider.test",
        port=0,
        host="127.0.0.1",
        lease_seconds=120,  # a lost one ends the process: that of the tests
    )
    kind = MailDomains(bench.now)
    bench.operator = Operator(settings, (kind, QuietUsers()))
    bench.task = asyncio.create_task(bench.operator.run(signals=False))
    yield bench
    bench.operator.stop()
    task, bench.task = bench.task, None
    await task
    await kind.close()
    await server.drain(5)


@pytest.fixture
async def cert_manager(bench: Bench) -> AsyncIterator[None]:
    """The CRD of cert-manager's Certificates, which the test plays the controller of."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    bench.kube.install(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "certificates.cert-manager.io"},
            "spec": {
                "group": "cert-manager.io",
                "names": {"kind": "Certificate", "plural": "certificates", "listKind": "CertificateList"},
                "scope": "Namespaced",
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                        "subresources": {"status": {}},
                    }
                ],
            },
        }
    )
    yield
    bench.kube.request("DELETE", _CERTIFICATES)

    def gone() -> bool:
        with contextlib.suppress(KubeError):
            bench.kube.request("GET", _CERTIFICATES)
            return False
        return True

    await bench.until(gone)
