"""The client of the API server, against a real one."""

import asyncio
import base64
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import KubeApi
from mailraven_operator.cluster import Cluster, NoCluster
from mailraven_operator.kube import JOBS, LEASES, NAMESPACES, SECRETS, Kube, KubeError, KubeUnavailable, Resource
from mailraven_operator.kube import version_of as version


def secret(namespace: str, name: str = "pw", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "stringData": data or {"password": "a"},
    }


async def test_objects_are_made_read_changed_and_deleted(kube: Kube, kube_namespace: str) -> None:
    assert await kube.get(SECRETS, kube_namespace, "pw") is None
    made = await kube.create(secret(kube_namespace))
    with pytest.raises(KubeError) as refused:
        await kube.create(secret(kube_namespace))
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
    patched = await kube.merge(SECRETS, kube_namespace, "pw", {"metadata": {"labels": {"a": "b"}}})
    assert patched["metadata"]["labels"] == {"a": "b"}
    with pytest.raises(KubeError) as conflict:
        await kube.replace(made, SECRETS)
    assert conflict.value.status == 409
    with pytest.raises(KubeError) as another:
        await kube.delete(SECRETS, kube_namespace, "pw", uid="somebody-else")
    assert another.value.status == 409
    assert await kube.delete(SECRETS, kube_namespace, "pw", uid=made["metadata"]["uid"])
    assert not await kube.delete(SECRETS, kube_namespace, "pw")


async def test_lists_are_read_page_by_page(kube: Kube, kube_namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven_operator.kube._PAGE", 2)
    for number in range(5):
        await kube.create(secret(kube_namespace, f"s{number}") | {"type": "Opaque"})
    await kube.merge(SECRETS, kube_namespace, "s1", {"metadata": {"labels": {"a": "b"}}})
    found = await kube.list(SECRETS, kube_namespace)
    assert [item["metadata"]["name"] for item in found] == ["s0", "s1", "s2", "s3", "s4"]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "Secret")}
    assert len(await kube.list(SECRETS, kube_namespace, "a=b")) == 1
    assert await kube.list(SECRETS, kube_namespace, fields="type!=Opaque") == []
    bare = await kube.listing(SECRETS, kube_namespace, metadata_only=True)
    assert all("data" not in item for item in bare.items)
    assert int(bare.resource_version) >= max(int(item["metadata"]["resourceVersion"]) for item in bare.items)


async def test_an_applied_object_that_nobody_touched_is_not_sent_again(
    kube_cluster: Cluster, kube_namespace: str
) -> None:
    seen: dict[str, str] = {}
    async with Kube(kube_cluster, lambda kind, key: seen.get(f"{kind}/{key[1]}")) as kube:
        applied = await kube.apply(secret(kube_namespace))
        assert applied is not None
        assert applied["metadata"]["managedFields"][0]["manager"] == "mailraven-operator"
        # Not seen yet: it is sent, and changes nothing.
        again = await kube.apply(secret(kube_namespace))
        assert again is not None
        assert version(again) == version(applied)
        seen["Secret/pw"] = version(applied)
        assert await kube.apply(secret(kube_namespace)) is None
        assert await kube.apply(secret(kube_namespace, password="b")) is not None
        touched = await kube.merge(SECRETS, kube_namespace, "pw", {"data": {"password": None}})
        seen["Secret/pw"] = version(touched)
        repaired = await kube.apply(secret(kube_namespace, password="b"))
        assert repaired is not None
        assert base64.b64decode(repaired["data"]["password"]) == b"b"


async def test_a_field_of_somebody_else_is_only_taken_by_force(kube: Kube, kube_namespace: str) -> None:
    await kube.request(
        "PATCH",
        SECRETS.path(kube_namespace, "pw"),
        body=secret(kube_namespace, password="theirs"),
        content_type="application/apply-patch+yaml",
        query={"fieldManager": "somebody"},
    )
    ours = secret(kube_namespace)
    ours = {**ours, "data": {"password": "b3Vycw=="}}
    del ours["stringData"]
    theirs = {**ours, "data": {"password": "dGhlaXJz"}}
    await kube.request(
        "PATCH",
        SECRETS.path(kube_namespace, "pw"),
        body=theirs,
        content_type="application/apply-patch+yaml",
        query={"fieldManager": "somebody", "force": "true"},
    )
    with pytest.raises(KubeError) as conflict:
        await kube.apply(ours, force=False)
    assert conflict.value.status == 409
    assert await kube.apply(ours) is not None


async def test_which_kinds_the_cluster_has(kube: Kube) -> None:
    assert await kube.serves(JOBS)
    assert not await kube.serves(Resource("cert-manager.io", "v1", "certificates", "Certificate"))
    assert not await kube.serves(Resource("mailraven.io", "v1alpha1", "mailpigeons", "MailPigeon"))


def test_paths_are_quoted_and_stay_where_they_are() -> None:
    assert JOBS.path("mail", "a b") == "/apis/batch/v1/namespaces/mail/jobs/a%20b"
    assert SECRETS.path() == "/api/v1/secrets"
    assert NAMESPACES.path(None, "mail") == "/api/v1/namespaces/mail"
    for name in ("..", "a/b", ""):
        with pytest.raises(ValueError, match="no name"):
            LEASES.path("mail", name or ".")


async def test_an_api_server_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {"token": "s3cret"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    async with Kube(Cluster()) as kube:
        with pytest.raises(KubeUnavailable) as away:
            await kube.get(SECRETS, "mail", "pw")
    assert "s3cret" not in str(away.value)


async def test_a_renewed_token_is_read_again(
    kube_api: KubeApi, kube_namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = yaml.safe_load(kube_api.kubeconfig.read_text())
    good = config["users"][0]["user"]["token"]
    config["users"][0]["user"]["token"] = "expired"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    async with Kube(Cluster()) as kube:
        with pytest.raises(KubeError) as refused:
            await kube.get(SECRETS, kube_namespace, "pw")
        assert refused.value.status == 401
        config["users"][0]["user"]["token"] = good
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        assert await kube.get(SECRETS, kube_namespace, "pw") is None


async def test_many_requests_at_once_share_the_session(kube: Kube, kube_namespace: str) -> None:
    found = await asyncio.gather(*(kube.get(SECRETS, kube_namespace, f"s{number}") for number in range(100)))
    assert found == [None] * 100


@pytest.mark.parametrize("text", ["", "current-context: x\n", "contexts: 1"])
def test_an_unusable_kubeconfig_is_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(NoCluster):
        Cluster()


def test_no_kubeconfig_is_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NoCluster, match="KUBECONFIG"):
        Cluster()
