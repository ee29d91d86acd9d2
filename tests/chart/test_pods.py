"""What holds for every pod, whatever the values."""

import shlex
from typing import Any

import pytest

ROLES = ("mx", "submission", "imap", "delivery", "admin")


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def test_pods_are_restricted(release) -> None:
    """As the Pod Security Standards say; tests/chart/test_on_kubernetes.py asks Kubernetes itself."""
    for name, pod in release.pods().items():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys(), name
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert not any("hostPort" in port for port in container.get("ports", [])), name
        assert not any("hostPath" in volume for volume in pod["spec"].get("volumes", [])), name


def test_only_the_operator_has_a_token_of_kubernetes(release) -> None:
    for name, pod in release.pods().items():
        assert pod["spec"].get("automountServiceAccountToken", True) is (name.endswith("-operator")), name
        assert pod["spec"]["enableServiceLinks"] is False, name


def test_only_who_needs_the_admin_token_has_it(release) -> None:
    """The API itself, the operator, and the test."""
    with_token = {name for name, pod in release.pods().items() if "admin-token" in str(pod["spec"].get("volumes"))}
    assert {name.rpartition("-")[2] for name in with_token} <= {"admin", "operator", "test"}


def test_no_secret_is_in_the_environment_or_the_arguments(release) -> None:
    for name, pod in release.pods().items():
        for container in containers(pod):
            words = shlex.join([*container.get("command", []), *container.get("args", [])])
            assert "postgresql://" not in words, name
            for variable in container.get("env", []):
                if any(word in variable["name"] for word in ("PASSWORD", "SECRET", "ACCESS_KEY", "TOKEN")):
                    assert variable["name"].endswith("_FILE") or "valueFrom" in variable, (name, variable["name"])


def test_a_restart_asks_nobody_else(release) -> None:
    """Liveness and start never depend on Postgres; readiness may."""
    for deployment in release.of("Deployment"):
        component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        if component in ("postgres", "s3"):
            continue
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        port = {"port": "health" if component == "operator" else "ops"}
        assert container["startupProbe"]["httpGet"] == {"path": "/livez", **port}
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", **port}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", **port}
        assert {item["name"] for item in container["ports"]} >= {port["port"]}


def test_roles_drain(release) -> None:
    for deployment in release.of("Deployment"):
        component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        if component not in ROLES:
            continue
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        spec = deployment["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] >= 60
        [container] = spec["containers"]
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
        assert container["args"][:2] == ["serve", component]


def test_each_deployment_has_a_name_for_its_pods_of_its_own(release) -> None:
    selectors = [item["spec"]["selector"]["matchLabels"] for item in release.of("Deployment")]
    assert len({str(sorted(selector.items())) for selector in selectors}) == len(selectors)
    for item in release.of("Deployment"):
        labels = item["spec"]["template"]["metadata"]["labels"]
        assert item["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_services_lead_to_ports_that_pods_have(release) -> None:
    pods = [item["spec"]["template"] for item in release.of("Deployment")]
    for service in release.of("Service"):
        chosen = [pod for pod in pods if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        assert chosen, service["metadata"]["name"]
        for pod in chosen:
            names = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_every_pod_has_a_network_policy(render) -> None:
    release = render("everything")
    policies = release.of("NetworkPolicy")
    for name, pod in release.pods().items():
        if name.startswith("Pod/"):
            continue  # the test: it speaks to all
        labels = pod["metadata"]["labels"]
        chosen = [item for item in policies if item["spec"]["podSelector"]["matchLabels"].items() <= labels.items()]
        assert len(chosen) == 1, name
        assert set(chosen[0]["spec"]["policyTypes"]) == {"Ingress", "Egress"}


@pytest.mark.parametrize("values", ["minimal", "dev", "everything"])
def test_no_pod_reaches_the_metadata_service(render, values: str) -> None:
    for policy in render(values).of("NetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            if all(port["port"] == 53 for port in rule.get("ports", [{"port": 0}])):
                continue
            for peer in rule.get("to", [{}] if "to" not in rule and "ports" not in rule else []):
                block = peer.get("ipBlock")
                if block and block["cidr"] == "0.0.0.0/0":
                    assert "169.254.169.254/32" in block["except"]


def test_only_the_queue_reaches_port_25(render) -> None:
    with_25 = [
        policy["metadata"]["name"]
        for policy in render("minimal").of("NetworkPolicy")
        if any(port.get("port") == 25 for rule in policy["spec"]["egress"] for port in rule.get("ports", []))
    ]
    assert with_25 == ["mailraven-delivery"]


def test_a_drain_of_a_node_leaves_a_pod_of_each_role(release) -> None:
    budgets = {item["metadata"]["name"]: item["spec"] for item in release.of("PodDisruptionBudget")}
    for deployment in release.of("Deployment"):
        component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        if component in (*ROLES, "operator"):
            budget = budgets[deployment["metadata"]["name"]]
            assert budget.get("maxUnavailable") == 1 or "minAvailable" in budget
            assert budget["selector"] == deployment["spec"]["selector"]


def test_an_autoscaler_and_a_deployment_do_not_both_say_how_many(render) -> None:
    release = render("everything")
    [scaler] = release.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 2
    assert "replicas" not in release.find("Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]
    assert release.find("Deployment", "post-imap")["spec"]["replicas"] == 2


def test_what_a_role_says_goes_before_what_all_say(render) -> None:
    release = render("everything")

    def spec(role: str) -> dict[str, Any]:
        found: dict[str, Any] = release.find("Deployment", f"post-{role}")["spec"]["template"]["spec"]
        return found

    assert spec("mx")["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert spec("delivery")["nodeSelector"] == {"mail.example.org/egress": "true"}
    assert [one["whenUnsatisfiable"] for one in spec("delivery")["topologySpreadConstraints"]] == ["DoNotSchedule"]
    assert [one["whenUnsatisfiable"] for one in spec("mx")["topologySpreadConstraints"]] == ["ScheduleAnyway"] * 2
    assert (spec("mx")["terminationGracePeriodSeconds"], spec("imap")["terminationGracePeriodSeconds"]) == (90, 120)
    assert spec("mx")["imagePullSecrets"] == [{"name": "pull"}, {"name": "other"}]
    digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    image = f"registry.example.org/mailraven/mailraven-server@{digest}"
    assert spec("mx")["containers"][0]["image"] == image
    assert release.pods()["job-template"]["spec"]["nodeSelector"] == {"mail.example.org/backup": "true"}
