"""A real API server with the CRDs, and a namespace of it to make resources in."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mailraven.testing.kube_apiserver import MERGE, KubeApi, KubeError, kube_api, kube_namespace
from mailraven_api.kubernetes.crd import DEFINITIONS

__all__ = ["kube_api", "kube_namespace"]
_PLURALS = {definition.kind: definition.plural for definition in DEFINITIONS}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A namespace."""

    api: KubeApi
    namespace: str

    def path(self, kind: str, name: str = "") -> str:
        found = f"/apis/mailraven.io/v1alpha1/namespaces/{self.namespace}/{_PLURALS[kind]}"
        return f"{found}/{name}" if name else found

    def document(self, kind: str, spec: dict[str, Any], name: str = "") -> dict[str, Any]:
        name = name or f"x{next(_numbers)}.example"
        return {"apiVersion": "mailraven.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}

    def create(self, kind: str, spec: dict[str, Any], name: str = "") -> Any:
        document = self.document(kind, spec, name)
        return self.api.request("POST", self.path(kind), document, fieldValidation="Strict")

    def change(self, made: dict[str, Any], spec: dict[str, Any]) -> Any:
        where = self.path(made["kind"], made["metadata"]["name"])
        return self.api.request("PATCH", where, {"spec": spec}, content_type=MERGE)

    def refusal(self, call: Callable[..., Any], *arguments: Any) -> str:
        """What the server says."""
        with pytest.raises(KubeError) as raised:
            call(*arguments)
        assert raised.value.status in (400, 422), raised.value
        return raised.value.message


@pytest.fixture
def place(kube_api: KubeApi, kube_namespace: str) -> Place:
    """A namespace of this test."""
    return Place(kube_api, kube_namespace)


@pytest.fixture(scope="session")
def least() -> dict[str, dict[str, Any]]:
    """A spec of each kind with nothing but what is needed."""
    s3 = {"s3": {"bucket": "mail-backups"}}
    return {
        "MailDomain": {},
        "MailUser": {"address": "ann@example.org"},
        "RateLimitPolicy": {"scope": "ip", "limits": [{"count": 5, "window": "hour"}]},
        "BackupSchedule": {"schedule": "0 2 * * *", "target": s3},
        "Backup": {"target": s3},
        "Restore": {"target": s3},
    }
