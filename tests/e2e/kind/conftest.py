"""The cluster that `make e2e` has made: MailRaven is in it, and its ports lead to this host (kind-config.yaml)."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mailraven.testing.cluster import Cluster
from mailraven.testing.traffic import Address, Person

HERE = Path(__file__).parent
PORTS = {"smtp": 2525, "submission": 5587, "imaps": 9993, "http": 8080}
PASSWORD = "correct-horse-7421-battery"
Figure = Callable[[str, object], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kind)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    kubeconfig = os.environ.get("MAILRAVEN_E2E_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("MAILRAVEN_E2E_KUBECONFIG is not set: `make e2e` makes the cluster")
    return Cluster(kubeconfig, os.environ.get("MAILRAVEN_E2E_NAMESPACE", "mailraven"))


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[Figure]:
    """Keeps a figure for the table at the end (bench-results/e2e.json)."""
    seen: dict[str, object] = {}
    yield seen.__setitem__
    file = Path(request.config.rootpath, "bench-results", "e2e.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(seen, indent=2) + "\n")
    width = max(map(len, seen), default=0)
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        reporter.write_line("")
        for name, value in seen.items():
            reporter.write_line(f"  {name:<{width}}  {value}")


@dataclass(frozen=True)
class Admin:
    """The admin API from outside the cluster."""

    token: str = field(repr=False)

    def finds(self, path: str) -> bool:
        try:
            self.call("GET", path)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return False
        return True

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORTS['http']}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> Admin:
    """This host is one client for all tests: the limits of an address are not what they are about."""
    secret = cluster.get("secret", "mailraven-keys")
    admin = Admin(base64.b64decode(secret["data"]["admin-token"]).decode())
    networks = admin.call("GET", "/settings/limits")["value"]["exempt_networks"]
    wanted = sorted({*networks, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"})
    if wanted != sorted(networks):
        admin.call("PATCH", "/settings/limits", {"exempt_networks": wanted})
    return admin


@pytest.fixture(scope="session")
def address() -> Callable[[str], Address]:
    """Of a listener, from this host."""
    return lambda listener: ("127.0.0.1", PORTS[listener])


@pytest.fixture
def secret_values(cluster: Cluster) -> Callable[[str], dict[str, str]]:
    """What a Secret holds, decoded."""

    def read(name: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in cluster.get("secret", name)["data"].items()}

    return read


@dataclass
class Town:
    """A domain of the test's own, and its people."""

    cluster: Cluster
    domain: str
    people: dict[str, Person] = field(default_factory=dict)

    def mail_domain(self, **spec: Any) -> dict[str, Any]:
        # No limits on what its people send: the tests send a lot.
        limits = {"messagesPerAccount": [], "messagesPerDomain": [], "recipientsPerAccount": []}
        return document("MailDomain", self.domain, {"limits": limits, **spec})

    def name(self, person: str) -> str:
        return f"{person}.{self.domain}"

    def mail_user(self, person: str, **spec: Any) -> dict[str, Any]:
        secret = {"name": f"{self.name(person)}-password", "key": "password"}
        address = f"{person}@{self.domain}"
        return document("MailUser", self.name(person), {"address": address, "passwordSecretRef": secret, **spec})

    def secret(self, person: str, password: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{self.name(person)}-password"},
            "stringData": {"password": password},
        }

    def settle(self, *people: str, **spec: Any) -> float:
        """Creates all of it and waits; seconds until everything was Ready."""
        begin = time.monotonic()
        documents = [self.mail_domain(**spec)]
        for person in people:
            documents += [self.secret(person, PASSWORD), self.mail_user(person)]
            self.people[person] = Person(f"{person}@{self.domain}", PASSWORD)
        self.cluster.apply(*documents)
        self.cluster.wait_ready("maildomain", self.domain)
        for person in people:
            self.cluster.wait_ready("mailuser", self.name(person))
        return time.monotonic() - begin


@pytest.fixture(scope="session", name="document")
def _document() -> Callable[..., dict[str, Any]]:
    return document


def document(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mailraven.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


@pytest.fixture
def new_town(cluster: Cluster, admin: Admin) -> Iterator[Callable[[], Town]]:
    """Makes towns; their resources go at the end of the test, their mail too."""
    towns: list[Town] = []

    def make() -> Town:
        town = Town(cluster, f"t{uuid.uuid4().hex[:8]}.test")
        towns.append(town)
        return town

    yield make
    for town in towns:
        names = [
            item["metadata"]["name"] for item in cluster.items("mailuser") if town.domain in item["spec"]["address"]
        ]
        if names:
            cluster.kubectl("delete", "mailuser", "--ignore-not-found", "--timeout=60s", *names)
            cluster.kubectl("delete", "secret", "--ignore-not-found", *(f"{name}-password" for name in names))
        cluster.kubectl("delete", "maildomain", "--ignore-not-found", "--timeout=60s", town.domain)


@pytest.fixture
def town(new_town: Callable[[], Town]) -> Town:
    """One, not made yet."""
    return new_town()
