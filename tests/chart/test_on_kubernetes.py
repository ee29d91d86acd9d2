"""A real API server looks at what the chart renders: unknown fields, wrong values, PodSecurity, RBAC."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import KubeApi

# Of other projects: their kinds are not in the API server of the tests.
FOREIGN = ("cert-manager.io/v1", "gateway.networking.k8s.io/v1", "monitoring.coreos.com/v1", "postgresql.cnpg.io/v1")
SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


def known(release: Any) -> list[dict[str, Any]]:
    return [item for item in release.documents if item["apiVersion"] not in FOREIGN]


@pytest.fixture
def home(kube_api: KubeApi) -> str:
    """The namespaces and the priority that the sets of values name."""
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1}
    kube_api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(high))
    for name in ("mailraven", "tenant-a", "tenant-b"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        kube_api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(namespace))
    return "mailraven"


def create(kube_api: KubeApi, documents: list[dict[str, Any]], *options: str) -> subprocess.CompletedProcess[str]:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    return kube_api.kubectl(
        "apply", "--server-side", "--force-conflicts", "--validate=strict", *options, "-f", "-", stdin=text
    )


def test_the_api_server_takes_all_of_it(release, kube_api: KubeApi, home: str) -> None:
    done = create(kube_api, known(release), "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert "unknown field" not in done.stderr


def test_pods_may_run_where_only_restricted_ones_may(release, kube_api: KubeApi, kube_namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube_api.kubectl("label", "namespace", kube_namespace, *(f"{name}={value}" for name, value in labels.items()))
    pods = []
    for number, pod in enumerate(release.pods().values()):
        spec = {key: value for key, value in pod["spec"].items() if key != "priorityClassName"}
        metadata = {"name": f"pod-{number}", "namespace": kube_namespace}
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    if pods:
        done = create(kube_api, pods, "--dry-run=server")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("values", "namespace", "may"),
    [("minimal", "anywhere", True), ("everything", "tenant-a", True), ("everything", "elsewhere", False)],
)
def test_the_operator_may_do_its_work_and_no_more(
    render, kube_api: KubeApi, home: str, values: str, namespace: str, may: bool
) -> None:
    release = render(values)
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
    rights = release.of(*kinds)
    done = create(kube_api, rights)
    assert done.returncode == 0, done.stderr
    try:
        [account] = [item for item in release.of("ServiceAccount") if item["metadata"]["name"].endswith("-operator")]
        user = f"system:serviceaccount:{home}:{account['metadata']['name']}"

        def can(verb: str, resource: str, where: str) -> bool:
            asked = kube_api.kubectl("auth", "can-i", verb, resource, "--namespace", where, "--as", user)
            return asked.stdout.strip() == "yes"

        for verb, resource in [("watch", "maildomains.mailraven.io"), ("get", "secrets"), ("create", "events")]:
            assert can(verb, resource, namespace) is may, (verb, resource)
        assert can("patch", "mailusers.mailraven.io/status", namespace) is may
        assert can("create", "jobs.batch", home)
        assert can("update", "leases.coordination.k8s.io", home)
        assert not can("create", "jobs.batch", "tenant-a")
        assert not can("delete", "maildomains.mailraven.io", namespace)
        assert not can("create", "pods", home)
        assert not can("get", "nodes", home)
        assert not can("escalate", "roles.rbac.authorization.k8s.io", home)
    finally:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": rights})
        kube_api.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text)


def test_the_samples_are_right(kube_api: KubeApi, home: str) -> None:
    documents = [
        document
        for file in sorted(SAMPLES.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if document and document["apiVersion"] not in FOREIGN
    ]
    assert len(documents) > 5
    done = create(kube_api, documents, "--dry-run=server")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def schemas(kube_api: KubeApi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JSON schemas of the API server's kinds, as kubeconform wants them."""
    directory = tmp_path_factory.mktemp("schemas")
    definitions = kube_api.request("GET", "/openapi/v2")["definitions"]
    for name in ("util.intstr.IntOrString", "api.resource.Quantity"):  # a text, as OpenAPI 2 has no "or"
        definitions[f"io.k8s.apimachinery.pkg.{name}"] = {"type": ["string", "number"]}
    (directory / "all.json").write_text(json.dumps({"definitions": definitions}))
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = f"{kind['group']}-" if kind["group"] else ""
            file = directory / f"{group}{kind['version']}-{kind['kind']}.json".lower()
            file.write_text(json.dumps({"$ref": f"all.json#/definitions/{name}"}))
    return directory


def test_kubeconform_takes_it(release, schemas: Path) -> None:
    program = shutil.which("kubeconform")
    if program is None:
        pytest.skip("kubeconform is not installed")
    location = f"{schemas}/{{{{ .Group }}}}-{{{{ .ResourceAPIVersion }}}}-{{{{ .ResourceKind }}}}.json"
    core = f"{schemas}/{{{{ .ResourceAPIVersion }}}}-{{{{ .ResourceKind }}}}.json"
    done = subprocess.run(
        [program, "-summary", "-schema-location", location, "-schema-location", core, "-"],
        input="\n---\n".join(json.dumps(item) for item in known(release)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0" in done.stdout
