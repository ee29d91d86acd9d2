"""Policies, effective limits, usage, bans and held accounts through the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven import queue
from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi, running_admin_api

POLICY = {
    "scope": "account",
    "event": "messages",
    "limits": [{"count": 5, "window": "hour"}],
    "selector": {"domains": ["example.org"]},
}


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """An empty server."""
    async with running_admin_api(dsn, tmp_path) as running:
        yield running


@pytest.fixture
async def root(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """A super-admin."""
    async with await api.admin() as client:
        yield client


@pytest.fixture
async def admin(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of example.org; example.net is not his."""
    await api.account("jane@example.org")
    await api.account("joe@example.net")
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN)
    async with api.connect(await api.token("admin", Role.DOMAIN_ADMIN, account="admin@example.org")) as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_a_policy_is_put_shown_listed_and_deleted(api: AdminApi, root: httpx.AsyncClient) -> None:
    made = await root.put("/api/v1/limits/policies/strict", json=POLICY)
    assert ok(made, 201)["spec"]["limits"] == [{"count": 5, "window_minutes": 60}]
    again = await root.put("/api/v1/limits/policies/strict", json=POLICY)
    assert (ok(again)["version"], again.headers["etag"]) == (1, '"1"')
    changed = await root.put(
        "/api/v1/limits/policies/strict", json=POLICY | {"priority": 3}, headers={"If-Match": '"1"'}
    )
    assert ok(changed)["version"] == 2
    late = await root.put("/api/v1/limits/policies/strict", json=POLICY, headers={"If-Match": '"1"'})
    ok(late, 412)
    assert ok(await root.get("/api/v1/limits/policies/strict"))["spec"]["priority"] == 3
    assert [one["name"] for one in ok(await root.get("/api/v1/limits/policies"))["items"]] == ["strict"]
    ok(await root.delete("/api/v1/limits/policies/strict", headers={"If-Match": '"1"'}), 412)
    ok(await root.delete("/api/v1/limits/policies/strict"), 204)
    ok(await root.get("/api/v1/limits/policies/strict"), 404)
    ok(await root.delete("/api/v1/limits/policies/strict"), 404)
    actions = [one["action"] for one in await api.audit() if one["action"].startswith("limit_policy")]
    assert actions == ["limit_policy.create", "limit_policy.update", "limit_policy.delete"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "token", "event": "messages"},
        {"limits": []},
        {"limits": [{"count": 0, "window": "hour"}]},
        {"limits": [{"count": 1, "window": "hour"}, {"count": 2, "window": "1h"}]},
        {"selector": {"networks": ["10.0.0.0/40"]}},
        {"exempt": {"networks": ["everywhere"]}},
        {"action": "explode"},
        {"surprise": 1},
    ],
)
async def test_a_policy_that_means_nothing_is_a_clear_problem(root: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    answer = await root.put("/api/v1/limits/policies/strict", json=POLICY | wrong)
    assert ok(answer, 422)["detail"]
    ok(await root.get("/api/v1/limits/policies/strict"), 404)


async def test_pages_of_policies(root: httpx.AsyncClient) -> None:
    for number in range(5):
        ok(await root.put(f"/api/v1/limits/policies/p{number}", json=POLICY), 201)
    first = ok(await root.get("/api/v1/limits/policies?limit=3"))
    second = ok(await root.get(f"/api/v1/limits/policies?limit=3&cursor={first['next']}"))
    assert [one["name"] for one in first["items"] + second["items"]] == [f"p{number}" for number in range(5)]
    assert second["next"] is None


async def test_a_policy_holds_at_once(api: AdminApi, root: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    ok(await root.put("/api/v1/limits/policies/strict", json=POLICY), 201)
    account = (await api.services.directory.get_account("jane@example.org")).id
    sent = [await api.services.gate.message("192.0.2.1", account, None, "jane@example.org", 1) for _ in range(6)]
    assert [one.allowed for one in sent] == [True] * 5 + [False]
    shown = ok(await admin.get("/api/v1/limits/usage?scope=account&key=jane@example.org"))
    (messages,) = [one for one in shown if one["event"] == "messages"]
    assert (messages["count"], messages["used"], messages["remaining"]) == (5, 5, 0)
    assert messages["source"] == "policy strict"
    assert messages["resets_at"] is not None


async def test_effective_limits_say_where_they_come_from(root: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    ok(await root.put("/api/v1/limits/policies/strict", json=POLICY), 201)
    shown = ok(await admin.get("/api/v1/limits/effective?account=jane@example.org"))
    found = {(one["scope"], one["event"]): (one["count"], one["window_minutes"], one["source"]) for one in shown}
    assert found["account", "messages"] == (5, 60, "policy strict")
    assert found["account", "recipients"] == (1000, 1440, "default")
    assert found["domain", "messages"] == (1000, 60, "default")


async def test_foreign_accounts_are_not_there(admin: httpx.AsyncClient) -> None:
    for query in (
        "effective?account=joe@example.net",
        "effective?account=nobody@example.org",
        "usage?scope=account&key=joe@example.net",
        "usage?scope=domain&key=example.net",
    ):
        ok(await admin.get(f"/api/v1/limits/{query}"), 404)
    ok(await admin.get("/api/v1/limits/usage?scope=domain&key=example.org"))
    ok(await admin.get("/api/v1/limits/usage?scope=ip&key=192.0.2.1"), 403)
    ok(await admin.get("/api/v1/limits/policies"), 403)
    ok(await admin.get("/api/v1/bans"), 403)


async def test_usage_of_an_address(api: AdminApi, root: httpx.AsyncClient) -> None:
    for _ in range(3):
        await api.services.gate.connection("192.0.2.1", "smtp")
        await api.services.gate.api_request("192.0.2.1", None)
    await api.services.gate.counters.give_back(0)
    shown = {one["event"]: one for one in ok(await root.get("/api/v1/limits/usage?scope=ip&key=192.0.2.1"))}
    assert shown["smtp_connections"]["used"] == 3
    assert shown["api_requests"]["used"] == 3
    assert shown["smtp_messages"]["used"] == 0
    assert shown["smtp_messages"]["resets_at"] is None
    ok(await root.get("/api/v1/limits/usage?scope=ip&key=rubbish"), 422)
    ok(await root.get("/api/v1/limits/usage?scope=token&key=ci"))


async def test_a_ban_is_made_obeyed_and_lifted(api: AdminApi, root: httpx.AsyncClient) -> None:
    made = ok(await root.post("/api/v1/bans", json={"network": "198.51.100.7", "minutes": 60, "reason": "noise"}), 201)
    assert (made["network"], made["created_by"], made["active"]) == ("198.51.100.7/32", "token root", True)
    assert api.services.gate.banned("198.51.100.7")
    async with api.connect(peer=("198.51.100.7", 1)) as client:
        ok(await client.get("/api/v1/version"), 403)
    again = await root.post("/api/v1/bans", json={"network": "198.51.100.7/32"})
    assert ok(again)["until"] is None
    assert ok(await root.get("/api/v1/bans/198.51.100.7"))["network"] == "198.51.100.7/32"
    ok(await root.delete("/api/v1/bans/198.51.100.7%2F32"), 204)
    assert api.services.gate.banned("198.51.100.7") is None
    ok(await root.delete("/api/v1/bans/198.51.100.7"), 404)
    actions = [one["action"] for one in await api.audit() if one["action"].startswith("ban")]
    assert actions == ["ban.create", "ban.update", "ban.delete"]


async def test_networks_with_a_slash(root: httpx.AsyncClient) -> None:
    for network in ("198.51.100.0/24", "2001:db8::/32"):
        ok(await root.post("/api/v1/bans", json={"network": network}), 201)
        assert ok(await root.get(f"/api/v1/bans/{network}"))["network"] == network
    assert [one["network"] for one in ok(await root.get("/api/v1/bans"))["items"]] == [
        "198.51.100.0/24",
        "2001:db8::/32",
    ]
    page = ok(await root.get("/api/v1/bans?limit=1"))
    rest = ok(await root.get(f"/api/v1/bans?limit=1&cursor={page['next']}"))
    assert [one["network"] for one in rest["items"]] == ["2001:db8::/32"]
    ok(await root.delete("/api/v1/bans/198.51.100.0/24"), 204)
    ok(await root.delete("/api/v1/bans", params={"network": "2001:db8::/32"}), 204)
    assert ok(await root.get("/api/v1/bans"))["items"] == []


async def test_who_is_exempt_is_not_banned(api: AdminApi, root: httpx.AsyncClient) -> None:
    answer = await root.post("/api/v1/bans", json={"network": "127.0.0.1"})
    assert "exempt" in ok(answer, 409)["detail"]
    await api.setting("limits", exempt_networks=["203.0.113.0/24"])
    ok(await root.post("/api/v1/bans", json={"network": "203.0.113.5"}), 409)
    own = await root.post("/api/v1/bans", json={"network": "127.0.0.0/8"})
    assert "lock yourself out" in ok(own, 409)["detail"]
    assert ok(await root.get("/api/v1/bans"))["items"] == []


@pytest.mark.parametrize(
    "network", ["rubbish", "10.0.0.0/33", "", "1.2.3", "'; DROP TABLE ban", "1.2.3.4\u0000", "0.0.0.0/0", "::/0"]
)
async def test_what_is_no_network_is_refused(root: httpx.AsyncClient, network: str) -> None:
    ok(await root.post("/api/v1/bans", json={"network": network}), 422)


async def test_a_held_account_is_let_go_by_admins_only(
    api: AdminApi, root: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    account = (await api.services.directory.get_account("jane@example.org")).id
    message = queue.NewMessage(
        account, account, 1, "jane@example.org", (queue.RemoteRecipient("a@x.example", "x.example"),)
    )
    async with api.services.database.transaction() as connection:
        await queue.enqueue(connection, [message])
        await queue.hold_account(connection, account, "201 new recipients in a day")
    path = "/api/v1/accounts/jane@example.org/release-sending"
    async with api.connect(await api.token("jane", Role.USER, account="jane@example.org")) as jane:
        ok(await jane.post(path), 403)
    ok(await admin.post("/api/v1/accounts/joe@example.net/release-sending"), 404)
    assert ok(await admin.post(path)) == {"released": 1, "more": False}
    ok(await admin.post(path), 409)
    async with api.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT state FROM queue_recipient") == "queued"
    (entry,) = [one for one in await api.audit() if one["action"] == "account.release-sending"]
    assert entry["before"] == {"sending_held": "201 new recipients in a day"}
