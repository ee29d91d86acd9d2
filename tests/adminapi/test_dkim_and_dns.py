"""DKIM keys, DNS records and the DNS check through the API, and who may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi, running_admin_api
from mailraven.testing.dns_server import DnsServer

WHERE = "/api/v1/domains/example.org"


@pytest.fixture
async def zones() -> AsyncIterator[DnsServer]:
    async with DnsServer({"example.org": "", "example.test": "mail A 9.9.9.9"}) as running:
        yield running


@pytest.fixture
async def api(dsn: str, tmp_path: Path, zones: DnsServer) -> AsyncIterator[AdminApi]:
    """With a master key and a DNS."""
    settings = {"delivery": {"resolver": [zones.endpoint], "dns_timeout": 1}}
    async with running_admin_api(dsn, tmp_path, config=settings) as running:
        yield running


@pytest.fixture
async def admin(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of example.org, which was made through the API; so was example.net, which is not his."""
    async with await api.admin() as root:
        for name in ("example.org", "example.net"):
            assert (await root.post("/api/v1/domains", json={"name": name})).status_code == 201
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN)
    async with api.connect(await api.token("admin", Role.DOMAIN_ADMIN, account="admin@example.org")) as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def states(document: Any) -> dict[str, str]:
    return {key["selector"]: key["state"] for key in document["items"]}


async def test_a_rotation_through_the_api(admin: httpx.AsyncClient, api: AdminApi, zones: DnsServer) -> None:
    (first,) = ok(await admin.get(f"{WHERE}/dkim"))["items"]
    assert (first["state"], first["algorithm"], first["key_size"]) == ("active", "rsa", 2048)
    ok(await admin.put(f"{WHERE}/security", json={"dkim": {"key_size": 4096}}))
    keys = ok(await admin.get(f"{WHERE}/dkim"))
    assert [(key["state"], key["key_size"]) for key in keys["items"]] == [("active", 2048), ("pending", 4096)]
    (waiting,) = ok(await admin.post(f"{WHERE}/dkim/rotate"))["items"]
    assert waiting == keys["items"][1]
    record = waiting["record"]
    assert record["name"] == f"{waiting['selector']}._domainkey.example.org"
    assert "".join(record["strings"]) == record["value"] == f"v=DKIM1; k=rsa; p={waiting['public_key']}"
    assert max(map(len, record["strings"])) <= 255

    activate = f"{WHERE}/dkim/{waiting['selector']}/activate"
    refused = await admin.post(activate)
    assert refused.status_code == 409
    assert "is not published" in refused.json()["detail"]
    zones.failing = {"example.org"}
    assert "cannot be looked up" in (await admin.post(activate)).json()["detail"]
    zones.failing = set()
    zones.add_zone("example.org", f'{waiting["selector"]}._domainkey TXT "v=DKIM1; p={first["public_key"][:200]}"')
    assert "is not the key's: it is another key" in (await admin.post(activate)).json()["detail"]
    text = (await admin.get(f"{WHERE}/dns", headers={"Accept": "text/plain"})).text
    zones.add_zone("example.org", text)
    assert ok(await admin.post(activate))["state"] == "active"
    assert ok(await admin.post(activate))["state"] == "active"
    retired = ok(await admin.get(f"{WHERE}/dkim/{first['selector']}"))
    assert (retired["state"], retired["published_until"] > retired["retired_at"]) == ("retired", True)
    assert (await admin.delete(f"{WHERE}/dkim/{waiting['selector']}")).status_code == 409
    assert (await admin.post(f"{WHERE}/dkim/{waiting['selector']}/retire")).status_code == 409
    ok(await admin.delete(f"{WHERE}/dkim/{first['selector']}"), 204)
    assert (await admin.get(f"{WHERE}/dkim/{first['selector']}")).status_code == 404
    actions = [row["action"] for row in await api.audit() if row["action"].startswith("dkim.")]
    assert actions == ["dkim.activate", "dkim.delete"]
    assert "PRIVATE" not in str(await api.audit())


async def test_keys_of_ones_own_making(admin: httpx.AsyncClient) -> None:
    made = ok(await admin.post(f"{WHERE}/dkim", json={"algorithm": "ed25519", "selector": "relay1"}), 201)
    assert (made["state"], made["key_size"], made["record"]["name"]) == (
        "pending",
        256,
        "relay1._domainkey.example.org",
    )
    assert (await admin.post(f"{WHERE}/dkim", json={"selector": "relay1"})).status_code == 409
    for body in ({"selector": "a b"}, {"key_size": 1024}, {"algorithm": "dsa"}, {"selector": "x" * 64}, {"x": 1}):
        assert (await admin.post(f"{WHERE}/dkim", json=body)).status_code == 422
    assert ok(await admin.post(f"{WHERE}/dkim/relay1/activate", params={"force": True}))["state"] == "active"
    assert ok(await admin.post(f"{WHERE}/dkim/relay1/retire"))["state"] == "retired"
    (pending,) = ok(await admin.post(f"{WHERE}/dkim/rotate"))["items"]
    assert states(ok(await admin.get(f"{WHERE}/dkim")))[pending["selector"]] == "pending"


async def test_what_is_not_his_is_not_there(admin: httpx.AsyncClient, api: AdminApi) -> None:
    for method, path in (
        ("GET", "dkim"),
        ("POST", "dkim/rotate"),
        ("GET", "dkim/a"),
        ("POST", "dkim/a/activate"),
        ("POST", "dkim/a/retire"),
        ("DELETE", "dkim/a"),
        ("GET", "dns"),
        ("GET", "dns/check"),
    ):
        texts = set()
        for domain in ("example.net", "nothing.example"):
            answer = await admin.request(method, f"/api/v1/domains/{domain}/{path}")
            assert answer.status_code == 404, (method, path)
            texts.add(answer.json()["detail"])
        assert len(texts) == 1
    await api.account("user@example.org")
    async with api.connect(await api.token("user", Role.USER, account="user@example.org")) as user:
        assert (await user.get(f"{WHERE}/dns")).status_code == 403


async def test_records_and_the_check(admin: httpx.AsyncClient, zones: DnsServer) -> None:
    document = ok(await admin.get(f"{WHERE}/dns"))
    assert document["hostname"] == "mail.example.test"
    assert [(record["type"], record["purpose"]) for record in document["records"]] == [
        ("MX", "mx"),
        ("TXT", "spf"),
        ("TXT", "dkim"),
        ("TXT", "dmarc"),
        ("SRV", "submission"),
        ("SRV", "submission"),
        ("SRV", "imap"),
    ]
    assert "mail.example.test needs an A record" in document["hints"][0]
    before = ok(await admin.get(f"{WHERE}/dns/check"))
    assert before["ok"] is False
    assert {f["state"] for f in before["findings"] if f["purpose"] not in ("host", "reverse")} == {"missing"}
    zone = (await admin.get(f"{WHERE}/dns", params={"format": "zone"})).text
    assert "example.org. 3600 IN MX 10 mail.example.test.\n" in zone
    zones.add_zone("example.org", zone)
    after = ok(await admin.get(f"{WHERE}/dns/check"))
    assert after["ok"] is True, after
    assert [f["state"] for f in after["findings"]][:-1] == ["ok"] * 8
    assert after["findings"][-1]["purpose"] == "reverse"


async def test_a_host_of_its_own(admin: httpx.AsyncClient, api: AdminApi, zones: DnsServer) -> None:
    async with await api.admin("second") as root:
        shown = ok(await root.patch(WHERE, json={"hostname": "Mail.Example.ORG."}))
    assert shown["hostname"] == shown["spec"]["hostname"] == "mail.example.org"
    document = ok(await admin.get(f"{WHERE}/dns"))
    assert document["hostname"] == "mail.example.org"
    assert document["records"][0]["value"] == "10 mail.example.org"
    assert document["hints"][0].startswith("mail.example.org needs an A record")
    assert document["hints"][1].endswith("should be mail.example.test.")
    zones.add_zone("example.org", (await admin.get(f"{WHERE}/dns", params={"format": "zone"})).text)
    checked = ok(await admin.get(f"{WHERE}/dns/check"))
    assert [one["name"] for one in checked["findings"] if one["state"] == "missing"] == ["mail.example.org"]
    async with await api.admin("third") as root:
        refused = await root.patch(WHERE, json={"hostname": "192.0.2.1"})
    assert refused.status_code == 422
    assert "IP address" in refused.text


async def test_another_name_of_the_domain(admin: httpx.AsyncClient, api: AdminApi) -> None:
    async with await api.admin("second") as root:
        ok(await root.patch(WHERE, json={"aliases": ["example.com"]}))
    document = ok(await admin.get(f"{WHERE}/dns", params={"alias": "Example.COM"}))
    assert {record["name"].removesuffix("example.com") for record in document["records"][:2]} == {""}
    assert (await admin.get(f"{WHERE}/dns", params={"alias": "example.net"})).status_code == 404
    assert (await admin.get(f"{WHERE}/dns", params={"alias": "a b"})).status_code == 422


async def test_without_a_master_key(dsn: str, tmp_path: Path) -> None:
    async with running_admin_api(dsn, tmp_path, config={"secrets": {}}) as api, await api.admin() as root:
        ok(await root.post("/api/v1/domains", json={"name": "example.org"}), 201)
        assert ok(await root.get(f"{WHERE}/dkim")) == {"items": []}
        for path in ("dkim", "dkim/rotate"):
            answer = await root.post(f"{WHERE}/{path}", json={})
            assert answer.status_code == 409
            assert "secrets.key_file" in answer.json()["detail"]
        assert len(ok(await root.get(f"{WHERE}/dns"))["records"]) == 6
