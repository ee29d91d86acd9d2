"""What the chart tells the programs, read by the programs."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from mailraven.config import Config, load
from mailraven_operator.settings import Settings


@pytest.fixture
def server_config(tmp_path: Path):
    """Loads mailraven.yaml as a pod would, with all its mounts."""

    def read(release: Any, role: str) -> Config:
        config_map = next(item for item in release.of("ConfigMap") if "mailraven.yaml" in item.get("data", {}))
        pod = next(pod for name, pod in release.pods().items() if name.endswith(f"-{role}"))
        for name, content in mounted(pod).items():
            file = tmp_path / name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        text = config_map["data"]["mailraven.yaml"].replace("/run/secrets", f"{tmp_path}/run/secrets")
        settings = tmp_path / "mailraven.yaml"
        settings.write_text(text)
        [container] = pod["spec"]["containers"]
        environ = {item["name"]: item.get("value", "from-a-secret") for item in container.get("env", [])}
        return load([settings], environ)

    return read


def mounted(pod: dict[str, Any]) -> dict[str, str]:
    """Path and content of every file from a Secret."""
    contents = {
        "master-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "database-url": "postgresql://app:p%40ss@db-rw.mail:5432/app",
    }
    paths = {mount["name"]: mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}
    files = {}
    for volume in pod["spec"]["volumes"]:
        sources = [source["secret"] for source in volume.get("projected", {}).get("sources", [])]
        for source in [*sources, *([volume["secret"]] if "secret" in volume else [])]:
            for item in source.get("items", [{"path": "tls.crt"}, {"path": "tls.key"}]):
                files[f"{paths[volume['name']]}/{item['path']}"] = contents.get(item["path"], secrets.token_hex(8))
    return files


def test_every_role_can_read_its_settings(release, server_config) -> None:
    for item in release.of("Deployment"):
        role = item["metadata"]["labels"]["app.kubernetes.io/component"]
        if role in ("operator", "postgres", "s3"):
            continue
        config = server_config(release, role)
        assert config.database.url.get_secret_value() == "postgresql://app:p%40ss@db-rw.mail:5432/app"
        assert config.secrets.key is not None
        if config.blobs.kind == "s3" and config.blobs.s3.credentials == "keys":
            assert config.blobs.s3.secret_key is not None
            assert config.blobs.s3.access_key == "from-a-secret"


def test_ports_are_those_of_the_server(release, server_config) -> None:
    for item in release.of("Deployment"):
        role = item["metadata"]["labels"]["app.kubernetes.io/component"]
        if role in ("operator", "postgres", "s3"):
            continue
        listeners = server_config(release, role).listeners
        names = {"smtp": "mx"}
        for port in item["spec"]["template"]["spec"]["containers"][0]["ports"]:
            assert getattr(listeners, names.get(port["name"], port["name"])).port == port["containerPort"]


def test_values_become_settings(render, server_config) -> None:
    config = server_config(render("everything"), "mx")
    assert config.hostname == "mx.example.org"
    assert config.listeners.mx.proxy_protocol == "require"
    assert config.listeners.imaps.proxy_protocol == "accept"
    assert config.listeners.imap.proxy_protocol == "off"
    assert [str(network) for network in config.proxy.trusted_networks] == ["10.0.12.0/24", "2001:db8:12::/64"]
    assert config.blobs.s3.credentials == "workload"
    assert config.blobs.s3.sts_endpoint == "https://sts.example.org"
    assert config.drain_timeout == 45
    assert config.smtp.max_message_size == 25 * 2**20
    assert config.log.level == "debug"
    assert config.tls.cert_file is not None


def test_config_goes_over_what_the_chart_sets(render, server_config) -> None:
    config = server_config(render("minimal", 'config.hostname="other.example.org"', "config.health.interval=7"), "imap")
    assert config.hostname == "other.example.org"
    assert config.health.interval == 7


def test_a_change_of_the_settings_is_a_rollout(render) -> None:
    def checksum(*assignments: str) -> str:
        pod = render("minimal", *assignments).pods()["Deployment/mailraven-mx"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum('mx.service.type="NodePort"')
    assert checksum() != checksum('config.log.level="debug"')


def test_the_operator_understands_its_environment(release, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pod in release.pods().items():
        if not name.endswith("-operator"):
            continue
        [container] = pod["spec"]["containers"]
        own = {variable["name"]: variable.get("value", "mailraven") for variable in container["env"]}
        for variable, value in own.items():
            monkeypatch.setenv(variable, value)
        settings = Settings()
        known = {f"MAILRAVEN_OPERATOR_{field}".upper() for field in Settings.model_fields} | {"POD_NAME"}
        assert own.keys() <= known
        assert settings.namespace == "mailraven"
        assert settings.identity == "mailraven"
        assert str(settings.server_url).startswith(f"http://{name.split('/')[1].replace('-operator', '-admin')}:8080")
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(settings.token_file.parent), str(settings.job_template.parent)} <= mounts


def test_the_operator_watches_what_it_may_read(render) -> None:
    release = render("everything")
    [pod] = [pod for name, pod in release.pods().items() if name.endswith("-operator")]
    environment = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    watched = environment["MAILRAVEN_OPERATOR_NAMESPACES"].split(",")
    assert watched == ["tenant-a", "tenant-b", "mailraven"]
    roles = release.of("Role", "RoleBinding")
    for namespace in watched:
        found = [item["kind"] for item in roles if item["metadata"]["namespace"] == namespace]
        assert found.count("Role") == found.count("RoleBinding") >= 1
    assert not any(item["metadata"]["name"].endswith("-operator") for item in release.of("ClusterRole"))


def test_a_pod_of_a_backup_is_one_of_the_server(render) -> None:
    pod = render("minimal").pods()["job-template"]
    [container] = pod["spec"]["containers"]
    assert container["name"] == "mailraven"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert container["args"] == ["--config", "/etc/mailraven/mailraven.yaml"]  # the operator puts the command before
    assert {mount["name"] for mount in container["volumeMounts"]} == {"tmp", "config", "secrets"}
