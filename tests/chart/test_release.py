"""The objects of a release and how they change from one version to the next."""

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from mailraven.directory.tokens import _SECRET
from mailraven.telemetry import metrics
from mailraven_operator.metrics import Metrics

ROOT = Path(__file__).parents[2]


def test_the_chart_is_clean() -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed")
    for values in (ROOT / "tests" / "chart" / "values").glob("*.yaml"):
        command = [helm, "lint", "--strict", str(ROOT / "charts" / "mailraven"), "--values", str(values)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_keys_are_new_for_each_release_and_kept(render) -> None:
    secret = render("minimal").find("Secret", "mailraven-keys")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert _SECRET.fullmatch(data["admin-token"])
    assert len(base64.b64decode(data["master-key"], validate=True)) == 32


def test_a_secret_of_yours_is_no_object_of_the_release(render) -> None:
    assert render("manifests").of("Secret") == []


def test_a_migration_is_a_hook_when_the_database_is_there_already(render) -> None:
    [job] = render("minimal").of("Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # Before all else: it may need nothing else.
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp", "secrets"]
    assert spec["volumes"][1]["secret"]["secretName"] == "db-app"


def test_a_migration_is_a_job_of_each_version_otherwise(render) -> None:
    def name(*assignments: str) -> str:
        [job] = render("dev", *assignments).of("Job")
        assert "annotations" not in job["metadata"]
        return str(job["metadata"]["name"])

    assert name() == name('mx.service.type="NodePort"')
    assert name() != name('image.tag="next"')


def test_a_migration_may_have_a_role_of_its_own(render) -> None:
    [job] = render("everything").of("Job")
    secret = job["spec"]["template"]["spec"]["volumes"][1]["secret"]
    assert (secret["secretName"], secret["items"][0]["key"]) == ("db-owner", "url")
    assert "db-owner" not in str([pod for name, pod in render("everything").pods().items() if "migrate" not in name])


def test_crds_stay_when_the_release_goes(render) -> None:
    crds = render("minimal").of("CustomResourceDefinition")
    assert len(crds) == 6
    assert all(crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for crd in crds)
    crds = render("minimal", "crds.keep=false").of("CustomResourceDefinition")
    assert not any("helm.sh/resource-policy" in crd["metadata"].get("annotations", {}) for crd in crds)
    assert render("minimal", "crds.install=false").of("CustomResourceDefinition") == []


def test_another_version_of_the_chart_restarts_neither_postgres_nor_s3(render) -> None:
    for name in ("postgres", "s3"):
        labels = render("dev").pods()[f"Deployment/mailraven-{name}"]["metadata"]["labels"]
        assert not labels.keys() & {"helm.sh/chart", "app.kubernetes.io/version"}


def test_nothing_of_trying_out_is_in_a_real_release(render) -> None:
    names = str([item["metadata"]["name"] for item in render("minimal").documents])
    assert "postgres" not in names
    assert "-s3" not in names


def test_trying_out_says_that_it_is_for_that_only() -> None:
    notes = (ROOT / "charts" / "mailraven" / "templates" / "NOTES.txt").read_text()
    assert "NOT FOR PRODUCTION" in notes


@pytest.mark.parametrize(
    ("assignments", "open_to_all"),
    [
        ([], False),
        (["ingress.enabled=true", 'ingress.host="m.example.org"'], True),
        (['admin.service.type="NodePort"'], True),
        (['admin.service.type="NodePort"', 'networkPolicy.adminFrom=[{"podSelector":{}}]'], False),
    ],
)
def test_the_api_is_for_the_operator_unless_something_leads_to_it(
    render, assignments: list[str], open_to_all: bool
) -> None:
    policy = render("minimal", *assignments).find("NetworkPolicy", "mailraven-admin")
    [rule] = [rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == "http"]
    assert ("from" not in rule) is open_to_all


def test_services_are_as_they_are_asked_for(render) -> None:
    release = render("everything")
    mx = release.find("Service", "post-mx")["spec"]
    assert mx["externalTrafficPolicy"] == "Local"
    assert mx["loadBalancerClass"] == "example.org/fast"
    assert mx["ipFamilies"] == ["IPv4"]
    assert mx["ipFamilyPolicy"] == "PreferDualStack"
    assert release.find("Service", "post-submission")["spec"]["externalTrafficPolicy"] == "Cluster"
    imap = release.find("Service", "post-imap")["spec"]
    assert {port["name"]: port.get("nodePort") for port in imap["ports"]} == {"imap": None, "imaps": 30993}
    assert "externalTrafficPolicy" not in render("minimal").find("Service", "mailraven-mx")["spec"]


def test_alerts_are_over_metrics_that_there_are(render) -> None:
    there = names_of(metrics) | {
        name for family in Metrics(process=False).registry.collect() for name in family_names(family)
    }
    [rule] = render("everything").of("PrometheusRule")
    alerts = rule["spec"]["groups"][0]["rules"]
    assert len(alerts) >= 12
    for alert in alerts:
        used = set(re.findall(r"mailraven_\w+", alert["expr"]))
        assert used
        assert used <= there, alert["alert"]
        assert 'namespace="mailraven"' in alert["expr"]
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert "{{" not in alert["annotations"]["summary"].replace("{{ $", "")


def names_of(module: Any) -> set[str]:
    families = (metric.collect() for metric in vars(module).values() if isinstance(metric, MetricWrapperBase))
    return {name for family in families for one in family for name in family_names(one)}


def family_names(family: Any) -> set[str]:
    suffix = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
    return {family.name + ending for ending in suffix}


def test_monitors_find_their_services(render) -> None:
    release = render("everything")
    services = release.of("Service")
    for monitor in release.of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        [service] = [item for item in services if wanted.items() <= item["metadata"]["labels"].items()]
        [endpoint] = monitor["spec"]["endpoints"]
        assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]


def test_who_may_view_may_not_change(render) -> None:
    release = render("minimal")
    for item in release.of("ClusterRole"):
        labels = item["metadata"]["labels"]
        verbs = {verb for rule in item["rules"] for verb in rule["verbs"]}
        if labels.get("rbac.authorization.k8s.io/aggregate-to-view"):
            assert verbs == {"get", "list", "watch"}
        if labels.get("rbac.authorization.k8s.io/aggregate-to-edit"):
            assert "*" not in verbs
        # A status says what was granted: nobody in a namespace may write it.
        if any("aggregate" in label for label in labels) and verbs - {"get", "list", "watch"}:
            assert not any("*" in name or "/" in name for rule in item["rules"] for name in rule["resources"])
    assert not any("aggregate" in str(item) for item in render("volume").of("ClusterRole"))


@pytest.mark.parametrize(("values", "wide"), [("minimal", True), ("everything", False)])
def test_the_operator_has_the_rights_of_its_page(render, values: str, wide: bool) -> None:
    """docs/operator.md, Rights: all of them, and no other."""
    page = (ROOT / "docs" / "operator.md").read_text().partition("## Rights")[2].partition("\n## ")[0]
    wanted: dict[str, set[tuple[str, str, str]]] = {}
    for place, group, resources, verbs in re.findall(r"^\| (\w+) \| ([\w.-]+) \| (.+) \| (.+) \|$", page, re.M)[1:]:
        rights = {
            ("" if group == "core" else group, resource, verb)
            for resource in resources.split(", ")
            for verb in verbs.split(", ")
        }
        wanted.setdefault(place, set()).update(rights)
    release = render(values)

    def has(kind: str, ending: str) -> set[tuple[str, str, str]]:
        return {
            (group, resource, verb)
            for item in release.of(kind)
            if item["metadata"]["name"].endswith(ending)
            for rule in item["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    assert has("Role", "-operator-home") == wanted["home"]
    if wide:
        assert has("ClusterRole", "-operator") == wanted["watched"] | wanted["cluster"]
        assert not has("Role", "-operator")
    else:
        assert has("Role", "-operator") == wanted["watched"] | wanted["namespaces"]
        assert not has("ClusterRole", "-operator")


def test_the_values_and_the_schema_have_the_same_keys() -> None:
    import json

    chart = ROOT / "charts" / "mailraven"
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    optional = {"minAvailable", "terminationGracePeriodSeconds", "pullSecrets"}

    def resolve(node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return node

    def compare(node: Any, value: Any, path: str) -> None:
        node = resolve(node)
        if not isinstance(node, dict) or "properties" not in node or not isinstance(value, dict):
            return
        inherited = {name for part in node.get("allOf", []) for name in resolve(part)["properties"]}
        own = node["properties"].keys() - inherited - optional
        if path.count(".") < 1 or not path.endswith("nodePorts"):
            assert own <= value.keys(), f"{path}: the values lack {own - value.keys()}"
        if node.get("additionalProperties") is False:
            assert value.keys() <= node["properties"].keys(), path
        for name, below in value.items():
            compare(node["properties"].get(name, True), below, f"{path}.{name}")

    compare(schema, values, "")


def test_every_group_of_values_has_a_comment() -> None:
    lines = (ROOT / "charts" / "mailraven" / "values.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-zA-Z]+:", line):
            block = "\n".join(lines[max(0, number - 8) : number + 12])
            assert "#" in block, line
