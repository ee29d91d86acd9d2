"""Domains, their template, aliases and rules about senders through the API, and who may change what."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.directory import Blocked, Targets
from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi, running_admin_api


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """An empty server with a master key."""
    async with running_admin_api(dsn, tmp_path) as running:
        yield running


@pytest.fixture
async def root(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """A super-admin."""
    async with await api.admin() as client:
        yield client


@pytest.fixture
async def admin(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of example.org, which exists; so does example.net, which is not his."""
    await api.services.directory.create_domain("example.net")
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN)
    async with api.connect(await api.token("admin", Role.DOMAIN_ADMIN, account="admin@example.org")) as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    detail: str = document["detail"]
    return detail


async def test_put_makes_changes_and_repeats(root: httpx.AsyncClient, api: AdminApi) -> None:
    where = "/api/v1/domains/Example.ORG"
    made = await root.put(where, json={"max_users": 5})
    document = ok(made, 201)
    assert made.headers["etag"] == '"1"'
    assert (document["name"], document["max_users"], document["users"]) == ("example.org", 5, 0)
    assert document["dkim_selector"]
    assert len(document["dkim_public_key"]) > 300
    assert document["spec"] == {"max_users": 5}
    again = await root.put(where, json={"max_users": 5})
    assert ok(again) == document
    changed = await root.put(where, json={"default_quota": 7}, headers={"If-Match": '"1"'})
    assert ok(changed)["max_users"] is None
    assert changed.headers["etag"] == '"2"'
    problem(await root.put(where, json={}, headers={"If-Match": '"1"'}), 412)
    problem(await root.put("/api/v1/domains/new.example", json={}, headers={"If-Match": '"1"'}), 412)
    log = [(entry["action"], entry["target"], entry["before"], entry["after"]) for entry in await api.audit()]
    assert log == [
        ("domain.create", "example.org", None, {"max_users": 5}),
        ("domain.update", "example.org", {"max_users": 5}, {"default_quota_bytes": 7}),
    ]


async def test_post_patch_get_and_delete(root: httpx.AsyncClient) -> None:
    made = await root.post("/api/v1/domains", json={"name": "Bücher.example"})
    assert made.headers["location"] == "/api/v1/domains/xn--bcher-kva.example"
    ok(made, 201)
    assert "exists" in problem(await root.post("/api/v1/domains", json={"name": "xn--bcher-kva.EXAMPLE."}), 409)
    where = "/api/v1/domains/bücher.example"
    ok(await root.patch(where, json={"security": {"spam": {"reject_score": 3}}, "labels": {"a": "b"}}))
    shown = ok(await root.patch(where, json={"labels": {"c": "d"}, "aliases": ["Buecher.example"]}))
    assert shown["labels"] == {"a": "b", "c": "d"}
    assert shown["aliases"] == ["buecher.example"]
    assert shown["security"]["spam"] == {"enabled": True, "reject_score": 3.0, "quarantine_score": 6.0}
    assert shown["limits"]["auth_failures_per_ip"] == [{"count": 5, "window_minutes": 15}]
    assert "another name" in problem(await root.put("/api/v1/domains/buecher.example", json={}), 409)
    assert ok(await root.get(where)) == shown
    ok(await root.put("/api/v1/domains/bücher.example/security", json={"greylist": {"enabled": True}}))
    security = ok(await root.get(where + "/security"))
    assert (security["greylist"]["enabled"], security["spam"]["reject_score"]) == (True, 15.0)
    ok(await root.post("/api/v1/accounts", json={"address": "anna@bücher.example"}), 201)
    assert "has accounts" in problem(await root.delete(where), 409)
    ok(await root.delete("/api/v1/accounts/anna@bücher.example"), 204)
    ok(await root.delete(where), 204)
    problem(await root.get(where), 404)
    ok(await root.put("/api/v1/domains/buecher.example", json={}), 201)


async def test_the_template_is_for_domains_to_come(root: httpx.AsyncClient) -> None:
    where = "/api/v1/domains/_default"
    before = await root.get(where)
    assert ok(before)["name"] == "_default"
    ok(await root.put("/api/v1/domains/old.example", json={}), 201)
    changed = await root.put(where, json={"max_users": 3}, headers={"If-Match": before.headers["etag"]})
    assert ok(changed)["max_users"] == 3
    problem(await root.put(where, json={}, headers={"If-Match": before.headers["etag"]}), 412)
    patched = ok(await root.patch(where, json={"spam_reject_score": 2}))
    assert patched["spec"] == {"max_users": 3, "security": {"spam": {"reject_score": 2.0}}}
    assert ok(await root.put("/api/v1/domains/new.example", json={}), 201)["max_users"] == 3
    bare = {"name": "bare.example", "use_default_template": False}
    assert ok(await root.post("/api/v1/domains", json=bare), 201)["max_users"] is None
    assert ok(await root.get("/api/v1/domains/old.example"))["max_users"] is None
    problem(await root.put(where, json={"aliases": ["a.example"]}), 422)
    problem(await root.delete(where), 422)
    problem(await root.get(where + "/security"), 404)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "-a.example", "a..example", "[192.0.2.1]", "x" * 64 + ".example", "_default", "a/b",
     "<script>alert(1)</script>", "'; DROP TABLE domain;--", "a\r\nSet-Cookie: x=y", "a@b.example",
     "xn--zzzzzz.example", "ex\u202eample.org"],
)  # fmt: skip
async def test_a_name_that_is_no_domain_is_a_422(root: httpx.AsyncClient, name: str) -> None:
    problem(await root.post("/api/v1/domains", json={"name": name}), 422)
    problem(await root.put("/api/v1/domains/good.example", json={"aliases": [name]}), 422)
    assert ok(await root.get("/api/v1/domains"))["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a\\u0000.example"}',
        b'{"name": "\\ud800.example"}',
        b'{"name": 5}',
        b'{"name": "a.example", "colour": "red"}',
        b'{"name": "a.example", "domain": {"max_users": 0}}',
        b'{"name": "a.example", "domain": {"max_users": 1e400}}',
        b'{"name": "a.example", "domain": {"default_quota": 9223372036854775808}}',
        b'{"name": "a.example", "domain": {"spam_reject_score": NaN}}',
        b'{"name": "a.example", "domain": {"labels": {"<b>": "x"}}}',
        b'{"name": "a.example", "domain": {"catch_all": "a@b\\r\\nc.example"}}',
        b'{"name": "a.example", "domain": {"ratelimit_smtp_per_ip": "{not json"}}',
        b'{"name": "a.example", "domain": {"security": []}}',
        b"[]",
        b"{",
    ],
)
async def test_a_body_that_cannot_be_is_a_422_and_nothing_is_made(root: httpx.AsyncClient, body: bytes) -> None:
    answer = await root.post("/api/v1/domains", content=body, headers={"content-type": "application/json"})
    problem(answer, 422)
    assert ok(await root.get("/api/v1/domains"))["items"] == []


async def test_lists_come_in_pages_and_can_be_filtered(root: httpx.AsyncClient) -> None:
    names = [f"d{number}.example" for number in range(5)]
    for name in names:
        ok(await root.put(f"/api/v1/domains/{name}", json={"status": "suspended" if name < "d2" else "active"}), 201)
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(await root.get("/api/v1/domains", params={"limit": 2, "cursor": cursor}))
        seen += [domain["name"] for domain in page["items"]]
        cursor = page["next"]
    assert seen == names
    found = ok(await root.get("/api/v1/domains", params={"q": "D3", "status": "active"}))
    assert [domain["name"] for domain in found["items"]] == ["d3.example"]
    problem(await root.get("/api/v1/domains", params={"cursor": "!!"}), 422)
    problem(await root.get("/api/v1/domains", params={"status": "odd"}), 422)


async def test_aliases_are_made_replaced_listed_and_removed(root: httpx.AsyncClient, api: AdminApi) -> None:
    await api.account("anna@example.org")
    where = "/api/v1/domains/example.org/aliases"
    made = ok(await root.post(where, json={"localpart": "Info", "targets": ["anna@example.org"]}), 201)
    assert made == {"address": "info@example.org", "localpart": "info", "targets": ["anna@example.org"]}
    problem(await root.post(where, json={"localpart": "info", "targets": ["anna@example.org"]}), 409)
    problem(await root.post(where, json={"localpart": "anna", "targets": ["x@a.example"]}), 409)
    problem(await root.put(where + "/anna", json={"targets": ["x@a.example"]}), 409)
    ok(await root.put(where + "/info@example.org", json={"targets": ["x@a.example", "anna@example.org"]}))
    ok(await root.put(where + "/sales", json={"targets": ["x@a.example"]}), 201)
    ok(await root.put(where + "/%2A", json={"targets": ["anna@example.org"]}), 201)
    assert ok(await root.get("/api/v1/domains/example.org"))["catch_all"] == "anna@example.org"
    page = ok(await root.get(where, params={"limit": 2}))
    rest = ok(await root.get(where, params={"limit": 2, "cursor": page["next"]}))
    assert [alias["localpart"] for alias in page["items"] + rest["items"]] == ["*", "info", "sales"]
    assert rest["next"] is None
    assert isinstance(await api.services.directory.resolve("nobody@example.org"), Targets)
    ok(await root.delete(where + "/*"), 204)
    assert ok(await root.get("/api/v1/domains/example.org"))["catch_all"] is None
    problem(await root.delete(where + "/*"), 404)
    problem(await root.get(where + "/none"), 404)
    problem(await root.put(where + "/info@elsewhere.example", json={"targets": ["x@a.example"]}), 422)
    problem(await root.put(where + "/loop", json={"targets": ["loop@example.org"]}), 422)
    problem(await root.put(where + "/x", json={"targets": []}), 422)
    problem(await root.put(where + "/x", json={"targets": ["<script>"]}), 422)


async def test_all_aliases_are_listed_to_those_who_administer_their_domains(
    root: httpx.AsyncClient, api: AdminApi
) -> None:
    await api.account("carl@a.example", role=Role.DOMAIN_ADMIN)
    for name in ("b.example", "c.example"):
        ok(await root.put(f"/api/v1/domains/{name}", json={}), 201)
    for place in ("b.example/aliases/z", "a.example/aliases/y", "a.example/aliases/x", "c.example/aliases/a"):
        ok(await root.put(f"/api/v1/domains/{place}", json={"targets": ["carl@a.example", "x@y.example"]}), 201)
    pages, cursor = [], {}
    while cursor is not None:
        page = ok(await root.get("/api/v1/aliases", params={"limit": 2, **cursor}))
        pages.append([alias["address"] for alias in page["items"]])
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert pages == [["x@a.example", "y@a.example"], ["z@b.example", "a@c.example"]]
    assert page["items"][0]["targets"] == ["carl@a.example", "x@y.example"]
    async with api.connect(await api.token("carl", Role.DOMAIN_ADMIN, account="carl@a.example")) as carl:
        seen = ok(await carl.get("/api/v1/aliases"))["items"]
    assert [alias["address"] for alias in seen] == ["x@a.example", "y@a.example"]


async def test_rules_about_senders_hold_at_once(root: httpx.AsyncClient, api: AdminApi) -> None:
    await api.account("anna@example.org")
    directory = api.services.directory
    for where in ("/api/v1/domains/example.org/senders", "/api/v1/accounts/anna@example.org/senders"):
        ok(await root.put(where + "/@Evil.example", json={"action": "block"}), 201)
        assert await directory.resolve_from("x@evil.example", "anna@example.org") == Blocked()
        ok(await root.put(where + "/friend@evil.example", json={"action": "allow"}), 201)
        assert isinstance(await directory.resolve_from("friend@evil.example", "anna@example.org"), Targets)
        rules = ok(await root.get(where))["items"]
        assert [(rule["sender"], rule["action"]) for rule in rules] == [
            ("evil.example", "block"),
            ("friend@evil.example", "allow"),
        ]
        ok(await root.put(where + "/evil.example", json={"action": "allow"}))
        assert isinstance(await directory.resolve_from("x@evil.example", "anna@example.org"), Targets)
        for rule in rules:
            ok(await root.delete(f"{where}/{rule['sender']}"), 204)
        problem(await root.delete(where + "/evil.example"), 404)
        problem(await root.put(where + "/not a sender", json={"action": "block"}), 422)
        problem(await root.put(where + "/evil.example", json={"action": "burn"}), 422)
    actions = [entry["action"] for entry in await api.audit()]
    assert actions.count("sender.set") == 6
    assert actions.count("sender.remove") == 4


async def test_a_domain_admin_has_his_domain_and_nothing_else(admin: httpx.AsyncClient, api: AdminApi) -> None:
    own, foreign = "/api/v1/domains/example.org", "/api/v1/domains/example.net"
    assert [domain["name"] for domain in ok(await admin.get("/api/v1/domains"))["items"]] == ["example.org"]
    ok(await admin.patch(own, json={"default_quota": 5, "catch_all": "admin@example.org"}))
    ok(await admin.put(own + "/security", json={"auth": {"totp_enforced": False}}))
    ok(await admin.put(own + "/aliases/info", json={"targets": ["admin@example.org"]}), 201)
    for granted in ({"status": "suspended"}, {"max_users": 9}, {"aliases": []}, {"limits": {}}, {"labels": {}}):
        problem(await admin.patch(own, json=granted), 403)
        problem(await admin.put("/api/domains/example.org", json=granted), 403)
    for attempt in (
        admin.put(own, json={}),
        admin.delete(own),
        admin.post("/api/v1/domains", json={"name": "a.example"}),
        admin.get("/api/v1/domains/_default"),
        admin.put("/api/v1/domains/_default", json={}),
        admin.put("/api/domains/_default", json={}),
    ):
        problem(await attempt, 403)
    texts = set()
    for where in (foreign, "/api/v1/domains/none.example"):
        for attempt in (
            admin.get(where),
            admin.patch(where, json={"default_quota": 1}),
            admin.get(where + "/security"),
            admin.put(where + "/security", json={}),
            admin.get(where + "/aliases"),
            admin.put(where + "/aliases/x", json={"targets": ["admin@example.org"]}),
            admin.delete(where + "/aliases/x"),
            admin.get(where + "/senders"),
            admin.put(where + "/senders/evil.example", json={"action": "block"}),
        ):
            texts.add(problem(await attempt, 404))
    assert len(texts) == 1


async def test_a_new_key_size_makes_a_key_that_waits(root: httpx.AsyncClient, api: AdminApi) -> None:
    first = ok(await root.put("/api/v1/domains/a.example", json={}), 201)
    ok(await root.put("/api/v1/domains/a.example/security", json={"dkim": {"key_size": 3072}}))
    async with api.services.database.acquire() as connection:
        keys = await connection.fetch("SELECT key_size, state FROM dkim_key ORDER BY key_size")
    assert [tuple(row) for row in keys] == [(2048, "active"), (3072, "pending")]
    # What is in the DNS goes on signing until the other one is there too.
    assert ok(await root.get("/api/v1/domains/a.example"))["dkim_public_key"] == first["dkim_public_key"]


async def test_without_a_master_key_a_domain_has_no_key(dsn: str, tmp_path: Path) -> None:
    async with running_admin_api(dsn, tmp_path, config={"secrets": {}}) as api, await api.admin() as root:
        made = ok(await root.put("/api/v1/domains/a.example", json={}), 201)
        assert (made["dkim_selector"], made["dkim_public_key"]) == (None, None)
        ok(await root.put("/api/v1/domains/a.example/security", json={"dkim": {"key_size": 4096}}))


async def test_many_writers_lose_no_update(root: httpx.AsyncClient) -> None:
    ok(await root.put("/api/v1/domains/a.example", json={}), 201)

    async def raise_by_one() -> None:
        while True:
            shown = await root.get("/api/v1/domains/a.example")
            count = (shown.json()["max_users"] or 0) + 1
            answer = await root.patch(
                "/api/v1/domains/a.example", json={"max_users": count}, headers={"If-Match": shown.headers["etag"]}
            )
            if answer.status_code == 200:
                return
            problem(answer, 412)

    await asyncio.gather(*(raise_by_one() for _ in range(8)))
    assert ok(await root.get("/api/v1/domains/a.example"))["max_users"] == 8
