"""The API server that other tests rely on: it starts, stops, keeps what it has, and ends with its process."""

from pathlib import Path

import httpx
import pytest

from mailraven.testing.kube_apiserver import KubeApi, KubeError, find_programs


def test_without_programs_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILRAVEN_KUBE_BIN", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(LookupError, match="no etcd and no kube-apiserver in"):
        find_programs()
    (tmp_path / "etcd").write_text("#!/bin/sh\n")
    (tmp_path / "etcd").chmod(0o755)
    with pytest.raises(LookupError, match=r"^no kube-apiserver in"):
        find_programs()


def test_programs_that_end_are_named_with_their_log(tmp_path: Path) -> None:
    programs = {}
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
        programs[name] = str(tmp_path / name)
    api = KubeApi(tmp_path, programs)
    with pytest.raises(RuntimeError, match="broken"):
        api.start()
    api.close()


def test_stop_and_start_keep_port_and_objects(tmp_path: Path, kube_api: KubeApi) -> None:
    with_own_server = KubeApi(tmp_path, kube_api.programs)  # others use the session's
    try:
        with_own_server.start()
        url = with_own_server.url
        with_own_server.make_namespace("kept")
        with_own_server.stop()
        with pytest.raises(RuntimeError, match="stopped"):
            with_own_server.request("GET", "/readyz")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/readyz", verify=False, trust_env=False)
        with_own_server.start()
        assert with_own_server.url == url
        assert with_own_server.request("GET", "/api/v1/namespaces/kept")["metadata"]["name"] == "kept"
    finally:
        with_own_server.close()


def test_the_kubeconfig_is_the_administrators(kube_api: KubeApi, kube_namespace: str) -> None:
    done = kube_api.kubectl("auth", "can-i", "*", "*", "--namespace", kube_namespace)
    assert done.stdout == "yes\n", done.stderr
    assert kube_api.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_refusal_has_its_reason(kube_api: KubeApi, kube_namespace: str) -> None:
    with pytest.raises(KubeError) as raised:
        kube_api.request("GET", f"/apis/mailraven.io/v1alpha1/namespaces/{kube_namespace}/maildomains/none")
    assert (raised.value.status, raised.value.reason) == (404, "NotFound")
