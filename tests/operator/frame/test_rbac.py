"""The rights that docs/operator.md asks for are enough: as a service account that has no others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import KubeApi
from mailraven_api.kubernetes import API_VERSION
from mailraven_operator.cluster import Cluster
from mailraven_operator.kinds import KINDS
from mailraven_operator.operator import Operator
from mailraven_operator.settings import Settings

_PAGE = Path(__file__).parents[3] / "docs" / "operator.md"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def documented_rules(*places: str) -> list[dict[str, Any]]:
    """Of the page's table."""
    section = _PAGE.read_text(encoding="utf-8").partition("## Rights")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", section, re.M)]
    return [
        {
            "apiGroups": ["" if group == "core" else group],
            "resources": resources.split(", "),
            "verbs": verbs.split(", "),
        }
        for place, group, resources, verbs in rows
        if place in places
    ]


def grant(
    api: KubeApi, name: str, account: tuple[str, str], namespace: str | None, rules: list[dict[str, Any]]
) -> None:
    """A ClusterRole, or the Role of a namespace, bound to a service account."""
    prefix, at = ("Cluster", "") if namespace is None else ("", f"/namespaces/{namespace}")
    kind = f"{prefix}Role"
    api.request("POST", f"{_RBAC}{at}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    api.request("POST", f"{_RBAC}{at}/{kind.lower()}bindings", binding)


@pytest.fixture
def log_in(
    kube_api: KubeApi, kube_namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], Cluster]:
    """As the service account `operator` of the namespace."""

    def enter() -> Cluster:
        accounts = f"/api/v1/namespaces/{kube_namespace}/serviceaccounts"
        kube_api.request("POST", accounts, {"metadata": {"name": "operator"}})
        token = kube_api.request("POST", f"{accounts}/operator/token", {"spec": {"expirationSeconds": 3600}})
        config = yaml.safe_load(kube_api.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token["status"]["token"]}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        return Cluster()

    return enter


@pytest.mark.parametrize("everywhere", [True, False], ids=["cluster", "namespaces"])
async def test_the_documented_rights_are_enough(
    kube_api: KubeApi,
    kube_namespace: str,
    settings: Settings,
    log_in: Callable[[], Cluster],
    running: Callable[..., Any],
    until: Any,
    everywhere: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = (kube_namespace, "operator")
    home = documented_rules("home")
    assert home
    if everywhere:
        grant(kube_api, f"{kube_namespace}-wide", account, None, documented_rules("watched", "cluster"))
    else:
        home = [*documented_rules("watched", "namespaces"), *home]
    grant(kube_api, "home", account, kube_namespace, home)
    path = f"/apis/mailraven.io/v1alpha1/namespaces/{kube_namespace}"
    domain = f"{kube_namespace}.example.org"  # other tests of the same API server left theirs
    metadata = {"name": domain, "namespace": kube_namespace, "finalizers": ["mailraven.io/finalizer"]}
    document = {"apiVersion": API_VERSION, "kind": "MailDomain", "metadata": metadata, "spec": {}}
    changes: dict[str, Any] = {"finalizer_timeout": 0, "namespaces": () if everywhere else (kube_namespace,)}
    async with running(Operator(settings.model_copy(update=changes), KINDS, log_in())) as operator:
        await until(lambda: operator.ready)
        kube_api.request("POST", f"{path}/maildomains", document)

        def events() -> list[str]:
            found = kube_api.request("GET", f"/api/v1/namespaces/{kube_namespace}/events")["items"]
            return [event["reason"] for event in found if event["involvedObject"]["name"] == domain]

        await until(lambda: "ServerUnreachable" in events())
        kube_api.request("DELETE", f"{path}/maildomains/{domain}")
        await until(lambda: "FinalizerTimeout" in events())
        await until(lambda: not kube_api.request("GET", f"{path}/maildomains")["items"])
        assert operator.metrics.registry.get_sample_value("mailraven_operator_watch_restarts_total") == 0
    output = capsys.readouterr().out + caplog.text
    assert "orbidden" not in output
    assert "cannot" not in output.replace("cannot be reached", "")
