"""What no request may hold, who may not come at all, whom a proxy speaks for, and what every answer says."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mailraven.adminapi import guard
from mailraven.adminapi.bodies import check_json
from mailraven.adminapi.clients import Client, client_of
from mailraven.adminapi.problems import ApiProblem
from mailraven.directory.roles import Role
from mailraven.net.addresses import Networks
from mailraven.testing.admin_api import PASSWORD, AdminApi, running_admin_api

STRANGER = ("192.0.2.7", 1)


def is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def domains(api: AdminApi) -> int:
    async with api.services.database.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM domain"))


BAD_BODIES = (
    (b"{", 422),
    (b"", 422),
    (b"null", 422),
    (b"[]", 422),
    (b'{"name":"a.example"', 422),
    (b'{"name":"a.example","surprise":1}', 422),
    (b'{"name":"a\\u0000.example"}', 422),
    (b'{"name":"a\0.example"}', 422),
    (b'{"name":"\\ud800.example"}', 422),
    (b'{"name":"\\udc00\\ud800.example"}', 422),
    (b'{"name":"\xed\xa0\x80.example"}', 422),
    (b'{"name":"\xff.example"}', 422),
    ('{"name":"a.example"}'.encode("utf-16"), 422),
    (b'{"name":1}', 422),
    (b'{"name":"a.example","domain":{"max_users":9223372036854775808}}', 422),
    (b'{"name":"a.example","domain":{"max_users":' + b"9" * 5000 + b"}}", 400),
    (b'{"name":"a.example","domain":{"max_users":1e999}}', 422),
    (b'{"name":"a.example","domain":{"security":{"spam":{"reject_score":NaN}}}}', 422),
    (b"[" * 100_000, 422),
    (b'{"a":' * 65 + b"1" + b"}" * 65, 422),
    (b'{"name":"a.example","domain":' + b"[" * 500_000 + b"]" * 500_000 + b"}", 422),
    (b'{"name":"' + b"a" * 1_048_577 + b'"}', 413),
)


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_a_bad_body_is_a_problem_and_changes_nothing(
    admin_api: AdminApi, root_client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    begin = time.monotonic()
    answer = await root_client.post("/api/v1/domains", content=body, headers={"Content-Type": "application/json"})
    is_problem(answer, status)
    assert time.monotonic() - begin < 2
    assert await domains(admin_api) == 0


async def test_a_body_without_its_length_is_bounded_too(admin_api: AdminApi, root_client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 65_536

    answer = await root_client.post("/api/v1/domains", content=endless(), headers={"Content-Type": "application/json"})
    is_problem(answer, 413)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_body_that_does_not_come_is_not_waited_for(
    admin_api: AdminApi, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(guard, "_JSON_SECONDS", 0.2)
    monkeypatch.setattr(guard, "_CHUNK_SECONDS", 0.2)

    async def hesitating() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    begin = time.monotonic()
    client = admin_api.connect()
    is_problem(await client.post("/api/v1/session", content=hesitating(), headers={"Content-Type": kind}), 400)
    assert time.monotonic() - begin < 4


def test_json_that_only_looks_dangerous_is_taken() -> None:
    deep = b'{"a":' * 64 + b"1" + b"}" * 64
    for body in (
        deep,
        b'["' + b"[" * 10_000 + b'"]',
        b'["\\"' + b"{" * 10_000 + b'"]',
        b"[" + b"[]," * 10_000 + b"[]]",
        b'"\\\\u0000"',
        b'"\\ud83d\\ude00"',
        '"\U0001f600"'.encode(),
    ):
        check_json(body)
        json.loads(body)


@pytest.mark.parametrize(
    "body", [b"[" * 65, b'{"\\ud83d": 1}', b'"\\ud83d\\u0041"', b'"\\ud83dx\\ude00"', b'"\\ud83d\\ud83d\\ude00"']
)
def test_json_that_is_dangerous_is_not(body: bytes) -> None:
    with pytest.raises(ApiProblem):
        check_json(body)


async def test_the_worst_body_is_checked_quickly() -> None:
    for body in (b"[" + b"[]," * 340_000 + b"[]]", b'"' + b"\\\\" * 500_000 + b'\\u0041"', b'"' + b'\\"' * 500_000):
        begin = time.process_time()
        check_json(body)
        assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", ""],
)
async def test_what_does_not_say_that_it_is_json_is_not_taken_for_it(
    admin_api: AdminApi, root_client: httpx.AsyncClient, kind: str
) -> None:
    answer = await root_client.post("/api/v1/domains", content=b'{"name":"a.example"}', headers={"Content-Type": kind})
    is_problem(answer, 415)
    assert await domains(admin_api) == 0


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_its_names(root_client: httpx.AsyncClient, kind: str) -> None:
    answer = await root_client.post("/api/v1/domains", content=b'{"name":"a.example"}', headers={"Content-Type": kind})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("kinds", [("application/json", "text/plain"), ("application/json\xa0",), ("",)])
async def test_no_type_leads_json_past_the_checks(admin_api: AdminApi, kinds: tuple[str, ...]) -> None:
    headers = [(b"content-type", kind.encode("latin-1")) for kind in kinds]
    for body in (b"[" * 100, b'"' + b"a" * 1_048_577 + b'"'):
        answer = await admin_api.connect().post("/api/v1/session", content=body, headers=headers)
        is_problem(answer, 400 if len(kinds) > 1 else 422 if len(body) == 100 else 413)


async def test_a_body_has_one_length(admin_api: AdminApi) -> None:
    headers = {"content-type": "application/json", "content-length": "2", "transfer-encoding": "chunked"}
    answer = await admin_api.connect().post("/api/v1/session", content=b"{}", headers=headers)
    is_problem(answer, 400)
    assert answer.headers["connection"] == "close"


async def test_a_credential_in_the_url_is_refused(admin_api: AdminApi) -> None:
    token = await admin_api.token()
    headers = {"Authorization": f"Bearer {token}"}
    for path in (
        f"/api/v1/version?token={token}",
        f"/api/v1/version?x={token}",
        f"/api/v1/version?{token}",
        f"/api/v1/tokens/{token}",
        "/api/v1/version?access_token=x",
        "/api/v1/version?a=b&API_KEY=x",
        "/api/v1/version?password=x",
        "/api/v1/version?x=mr%5f" + token[3:],
    ):
        for given in ({}, headers):
            answer = await admin_api.client.get(path, headers=given)
            is_problem(answer, 400)
            assert token not in answer.text
    assert (await admin_api.client.get("/api/v1/version?q=token", headers=headers)).status_code == 200


NASTY = (
    "'; DROP TABLE domain; --",
    '" OR 1=1 --',
    "<script>alert(1)</script>",
    "a\r\nSet-Cookie: x=1\r\n\r\n<html>",
    "%00%0d%0a",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "\u202egnp.exe",
    "a" * 5000,
    "\ufeff",
)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
async def test_text_is_text_wherever_it_is_written(
    admin_api: AdminApi, root_client: httpx.AsyncClient, text: str
) -> None:
    await admin_api.account("ann@example.org")
    calls = [
        ("POST", "/api/v1/domains", {"name": text}),
        ("POST", "/api/v1/accounts", {"address": text}),
        ("POST", "/api/v1/accounts", {"address": f"{text}@example.org"}),
        ("PATCH", "/api/v1/accounts/ann@example.org", {"display_name": text}),
        ("PUT", "/api/v1/accounts/ann@example.org/vacation", {"text": text, "subject": text}),
        ("POST", "/api/v1/domains/example.org/aliases", {"address": text, "targets": [text]}),
        ("POST", "/api/v1/tokens", {"name": text}),
        ("POST", "/api/v1/session", {"address": text, "password": text}),
        ("PUT", "/api/v1/admins/ann@example.org", {"role": "domain-admin", "domains": [text]}),
        ("PATCH", "/api/v1/settings/limits", {"exempt_networks": [text]}),
        ("PATCH", "/api/v1/settings/limits", {text: 1}),
        ("PATCH", "/api/v1/domains/example.org", {"labels": {text: text}}),
    ]
    for method, path, body in calls:
        answer = await root_client.request(method, path, json=body)
        assert answer.status_code in (200, 201, 204, 401, 404, 409, 422), (path, answer.text)
        assert answer.headers.get("content-type", "application/json").startswith("application/")
        assert "set-cookie" not in answer.headers
    for path in ("/api/v1/accounts", "/api/v1/audit", "/api/v1/domains"):
        for name in ("q", "actor", "target", "domain", "cursor"):
            answer = await root_client.get(path, params={name: text})
            assert answer.status_code in (200, 404, 422), (path, name, answer.text)
    assert (await root_client.get("/api/v1/domains/example.org")).status_code == 200
    assert await domains(admin_api) == 1
    rows = await admin_api.audit()
    assert all("\0" not in str(row) for row in rows)


async def test_a_banned_client_gets_nothing(admin_api: AdminApi) -> None:
    token = await admin_api.token()
    async with admin_api.services.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO ban (network, reason, until) VALUES ('192.0.2.0/24', 'test', now() + interval '1 hour')"
        )
    await admin_api.services.gate.bans.refresh(surely=True)
    stranger = admin_api.connect(token, peer=STRANGER)
    is_problem(await stranger.get("/api/v1/version"), 403)
    is_problem(await stranger.post("/api/v1/session", json={"address": "x", "password": "y"}), 403)
    assert (await admin_api.connect(token).get("/api/v1/version")).status_code == 200


async def test_a_banned_client_cannot_fill_the_audit_log(admin_api: AdminApi) -> None:
    async with await admin_api.admin() as root:
        body = {"network": STRANGER[0], "reason": "test"}
        assert (await root.post("/api/v1/bans", json=body)).status_code == 201
    banned = admin_api.connect(peer=STRANGER)
    async with asyncio.timeout(10):
        while (await banned.get("/")).status_code != 403:
            await asyncio.sleep(0.1)
    for number in range(30):
        is_problem(await banned.get(f"/{number}"), 403)
    refused = [one for one in await admin_api.audit() if one["ip"] == STRANGER[0]]
    assert {one["target"] for one in refused} == {"any request"}


async def test_too_many_requests_are_told_when_to_come_again(admin_api: AdminApi) -> None:
    token = await admin_api.token()
    stranger = admin_api.connect(token, peer=STRANGER)
    answers = [await stranger.get("/api/v1/version") for _ in range(30)]
    first, last = answers[0], answers[-1]
    assert first.status_code == 200
    assert int(first.headers["ratelimit-limit"]) > int(first.headers["ratelimit-remaining"]) > 0
    assert int(first.headers["ratelimit-reset"]) >= 0
    refused = next(answer for answer in answers if answer.status_code == 429)
    is_problem(refused, 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["ratelimit-remaining"] == "0"
    assert last.status_code in (429, 403)


async def test_requests_of_a_token_are_counted_wherever_they_come_from(admin_api: AdminApi) -> None:
    async with await admin_api.admin() as root:
        limits = {"limits": {"api_requests_per_token": {"count": 3, "window": "hour"}}}
        assert (await root.patch("/api/v1/domains/_default", json=limits)).status_code == 200
    token = await admin_api.token("counted")
    await admin_api.services.gate.rules.load()
    statuses = []
    for number in range(5):
        client = admin_api.connect(token, peer=(f"198.51.100.{number}", 1))
        statuses.append((await client.get("/api/v1/version")).status_code)
    assert statuses == [200, 200, 200, 429, 429]


async def test_the_token_of_the_mounted_file_is_not_counted(dsn: str, tmp_path: Path) -> None:
    """The operator's: thousands of resources are looked at at once."""
    config = {"http": {"admin_token_file": str(tmp_path / "admin-token")}}
    async with running_admin_api(dsn, tmp_path, config=config) as api:
        operator = api.connect(await api.token("bootstrap"), peer=STRANGER)
        other = api.connect(await api.token("other"), peer=STRANGER)
        assert {(await operator.get("/api/v1/version")).status_code for _ in range(100)} == {200}
        assert 429 in [(await other.get("/api/v1/version")).status_code for _ in range(100)]


async def test_admins_come_from_the_allowed_networks_only(admin_api: AdminApi) -> None:
    await admin_api.account("ann@example.org")
    await admin_api.account("carl@example.org", role=Role.DOMAIN_ADMIN)
    root = await admin_api.token()
    ann = await admin_api.token("ann", Role.USER, account="ann@example.org")
    body = {"address": "carl@example.org", "password": PASSWORD}
    inside = ("203.0.113.5", 1)
    answer = await admin_api.connect(root, peer=inside).put(
        "/api/v1/settings/admin", json={"allowed_networks": ["198.51.100.0/24"]}
    )
    is_problem(answer, 422)  # would lock himself out
    answer = await admin_api.connect(root, peer=inside).put(
        "/api/v1/settings/admin", json={"allowed_networks": ["203.0.113.0/24"]}
    )
    assert answer.status_code == 200, answer.text
    await admin_api.services.settings.load()
    assert (await admin_api.connect(root, peer=inside).get("/api/v1/domains")).status_code == 200
    assert (await admin_api.connect(peer=inside).post("/api/v1/session", json=body)).status_code == 201
    for peer in (STRANGER, ("127.0.0.1", 1)):  # loopback is nothing special
        is_problem(await admin_api.connect(root, peer=peer).get("/api/v1/domains"), 403)
        answer = await admin_api.connect(peer=peer).post("/api/v1/session", json=body)
        is_problem(answer, 403)
        assert "set-cookie" not in answer.headers
        assert (await admin_api.connect(ann, peer=peer).get("/api/v1/me")).status_code == 200
    reasons = [row["after"]["reason"] for row in await admin_api.audit() if row["outcome"] == "refused"]
    assert reasons.count("network") == 4


async def test_refused_requests_are_in_the_audit_log(admin_api: AdminApi) -> None:
    await admin_api.account("ann@example.org")
    ann = await admin_api.token("ann token", Role.USER, account="ann@example.org")
    for _ in range(3):
        is_problem(await admin_api.client.get("/api/v1/domains"), 401)
    is_problem(await admin_api.connect("mr_" + "A" * 43).get("/api/v1/domains"), 401)
    is_problem(await admin_api.connect(ann).get("/api/v1/domains/example.org"), 403)
    is_problem(await admin_api.connect(ann).delete("/api/v1/domains/example.org"), 403)
    rows = await admin_api.audit()
    found = {(row["actor"], row["target"], row["after"]["status"], row["after"]["reason"]) for row in rows}
    assert found == {
        ("anonymous", "GET /api/v1/domains", 401, "no_token"),
        ("token ann token", "GET /api/v1/domains/{domain}", 403, "role"),
        ("token ann token", "DELETE /api/v1/domains/{domain}", 403, "role"),
    }
    assert rows[0]["after"]["times"] == 4
    assert all(row["action"] == "access" and row["outcome"] == "refused" and row["ip"] == "127.0.0.1" for row in rows)


PROXIES = Networks(["10.0.0.0/8", "2001:db8::/64"])


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.1", {}, Client("192.0.2.1", False)),
        ("192.0.2.1", {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"}, Client("192.0.2.1", False)),
        ("10.0.0.1", {}, Client("10.0.0.1", False)),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 1.2.3.4"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.9.9.9"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-forwarded-for": "10.1.1.1, 10.9.9.9"}, Client("10.1.1.1", False)),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4, nonsense"}, Client("10.0.0.1", False)),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4:5678"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db8:1::5]:443"}, Client("2001:db8:1::5", False)),
        ("10.0.0.1", {"x-forwarded-for": "::ffff:1.2.3.4"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-real-ip": "1.2.3.4"}, Client("1.2.3.4", False)),
        ("10.0.0.1", {"x-real-ip": "<script>"}, Client("10.0.0.1", False)),
        ("10.0.0.1", {"x-forwarded-proto": "https"}, Client("10.0.0.1", True)),
        ("10.0.0.1", {"x-forwarded-proto": "https, http"}, Client("10.0.0.1", True)),
        ("10.0.0.1", {"x-forwarded-proto": "http"}, Client("10.0.0.1", False)),
        ("2001:db8::7", {"x-forwarded-for": "1.2.3.4"}, Client("1.2.3.4", False)),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "1.2.3.4"}, Client("1.2.3.4", False)),
    ],
)
def test_whom_a_proxy_speaks_for(peer: str, headers: dict[str, str], client: Client) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert client_of({"client": (peer, 1), "scheme": "http", "headers": raw}, PROXIES) == client


async def test_behind_a_proxy_the_client_is_the_client(dsn: str, tmp_path: Path) -> None:
    config = {"http": {"trusted_proxies": ["10.0.0.0/8"]}}
    async with running_admin_api(dsn, tmp_path, config=config) as api:
        proxy = api.connect(peer=("10.0.0.1", 1))
        for ip in ("192.0.2.9", "192.0.2.10"):
            is_problem(await proxy.get("/api/v1/version", headers={"X-Forwarded-For": ip}), 401)
        is_problem(await api.client.get("/api/v1/version", headers={"X-Forwarded-For": "192.0.2.11"}), 401)
        assert {row["ip"] for row in await api.audit()} == {"192.0.2.9", "192.0.2.10", "127.0.0.1"}


async def test_an_upload_may_be_as_large_as_a_message(dsn: str, tmp_path: Path) -> None:
    config = {"smtp": {"max_message_size": 3 << 20}}
    async with running_admin_api(dsn, tmp_path, config=config) as api:
        await api.account("ann@example.org")
        client = api.connect(await api.token("ann", Role.USER, account="ann@example.org"))
        inbox = (await client.get("/api/v1/accounts/ann@example.org/mailboxes")).json()["items"][0]["id"]
        path = f"/api/v1/accounts/ann@example.org/mailboxes/{inbox}/messages"
        for size, status in ((2 << 20, 201), (5 << 20, 413)):
            content = b"Subject: x\r\n\r\n"
            content += b"\r\n" + (b"y" * 70 + b"\r\n") * (size // 72)
            answer = await client.post(path, content=content, headers={"Content-Type": "message/rfc822"})
            assert answer.status_code == status, answer.text
