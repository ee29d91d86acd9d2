"""Settings, admins and the audit log through the API."""

import asyncio
from typing import Any

import httpx
import pytest

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi

SETTINGS = "/api/v1/settings"
CARL, DORA = "carl@example.org", "dora@example.net"


async def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_settings_begin_with_their_defaults(root_client: httpx.AsyncClient) -> None:
    every = await ok(await root_client.get(SETTINGS))
    assert set(every) == {"limits", "bans", "guard", "passwords", "admin", "mail"}
    assert every["bans"] == {
        "value": every["bans"]["value"],
        "version": 0,
        "changed_by": "",
        "changed_at": None,
    }
    answer = await root_client.get(f"{SETTINGS}/bans")
    assert answer.headers["etag"] == '"0"'
    assert answer.json() == every["bans"]


async def test_a_setting_is_replaced_or_merged_and_says_by_whom(
    admin_api: AdminApi, root_client: httpx.AsyncClient
) -> None:
    answer = await root_client.put(f"{SETTINGS}/bans", json={"threshold": 9, "growth": 2})
    assert (await ok(answer))["value"]["threshold"] == 9
    assert answer.headers["etag"] == '"1"'
    merged = await ok(await root_client.patch(f"{SETTINGS}/bans", json={"threshold": 3}))
    assert (merged["value"]["threshold"], merged["value"]["growth"]) == (3, 2)
    assert (merged["version"], merged["changed_by"]) == (2, "token root")
    replaced = await ok(await root_client.put(f"{SETTINGS}/bans", json={"threshold": 4}))
    assert replaced["value"]["growth"] == 4.0
    rows = [row for row in await admin_api.audit() if row["action"] == "settings.update"]
    assert [(row["actor"], row["target"], row["before"], row["after"]) for row in rows] == [
        ("token root", "bans", {"threshold": 5, "growth": 4.0}, {"threshold": 9, "growth": 2.0}),
        ("token root", "bans", {"threshold": 9}, {"threshold": 3}),
        ("token root", "bans", {"threshold": 3, "growth": 2.0}, {"threshold": 4, "growth": 4.0}),
    ]


async def test_a_change_is_in_force_soon(admin_api: AdminApi, root_client: httpx.AsyncClient) -> None:
    await ok(await root_client.patch(f"{SETTINGS}/admin", json={"session_hours": 3}))
    async with asyncio.timeout(10):
        while admin_api.services.settings.admin.session_hours != 3:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "etag", "status"),
    [
        ("PUT", '"1"', 200),
        ("PUT", "*", 200),
        ("PUT", '"0"', 412),
        ("PUT", '"2"', 412),
        ("PUT", 'W/"1"', 412),
        ("PUT", "nonsense", 412),
        ("PUT", '"99999999999999999999"', 412),
        ("PATCH", '"1"', 200),
        ("PATCH", '"0"', 412),
    ],
)
async def test_if_match_keeps_others_changes(
    root_client: httpx.AsyncClient, method: str, etag: str, status: int
) -> None:
    await ok(await root_client.put(f"{SETTINGS}/bans", json={"threshold": 9}))
    answer = await root_client.request(method, f"{SETTINGS}/bans", json={"threshold": 1}, headers={"If-Match": etag})
    assert answer.status_code == status, answer.text
    threshold = (await ok(await root_client.get(f"{SETTINGS}/bans")))["value"]["threshold"]
    assert threshold == (1 if status == 200 else 9)


async def test_of_many_at_once_with_one_etag_one_wins(root_client: httpx.AsyncClient) -> None:
    calls = [
        root_client.patch(f"{SETTINGS}/bans", json={"threshold": number}, headers={"If-Match": '"0"'})
        for number in range(1, 9)
    ]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*calls))
    assert statuses == [200] + [412] * 7


@pytest.mark.parametrize(
    ("group", "body", "status"),
    [
        ("bans", {"threshold": 0}, 422),
        ("bans", {"threshold": "many"}, 422),
        ("bans", {"threshhold": 5}, 422),
        ("bans", {"growth": float("1e400")}, 422),
        ("limits", {"exempt_networks": ["300.0.0.0/8"]}, 422),
        ("limits", {"exempt_networks": ["10.0.0.1/8"]}, 422),
        ("limits", {"exempt_networks": "10.0.0.0/8"}, 422),
        ("passwords", {"min_length": 3}, 422),
        ("admin", {"allowed_networks": ["203.0.113.0/24"]}, 422),
        ("nothing", {}, 404),
    ],
)
async def test_settings_are_validated(
    root_client: httpx.AsyncClient, group: str, body: dict[str, Any], status: int
) -> None:
    for method in ("PUT", "PATCH"):
        content = str(body).replace("'", '"').replace("inf", "1e400")
        answer = await root_client.request(
            method, f"{SETTINGS}/{group}", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == status, answer.text
        if status == 422:
            assert answer.json()["errors"][0]["pointer"].startswith("/")


async def test_an_admin_is_made_and_unmade(admin_api: AdminApi, root_client: httpx.AsyncClient) -> None:
    await admin_api.account(CARL)
    await admin_api.account(DORA)
    carl = admin_api.connect(await admin_api.token("carl", account=CARL))
    assert (await carl.get("/api/v1/domains/example.net")).status_code == 403
    made = await ok(
        await root_client.put(
            "/api/v1/admins/Carl@EXAMPLE.org", json={"role": "domain-admin", "domains": ["EXAMPLE.net"]}
        )
    )
    assert made == {
        "address": CARL,
        "role": "domain-admin",
        "domains": ["example.net", "example.org"],
        "totp": False,
        "suspended": False,
    }
    assert (await carl.get("/api/v1/domains/example.net")).status_code == 200
    assert (await ok(await root_client.get("/api/v1/admins")))["items"] == [made]
    await ok(await root_client.put(f"/api/v1/admins/{CARL}", json={"role": "domain-admin"}))
    assert (await carl.get("/api/v1/domains/example.net")).status_code == 404
    assert (await ok(await root_client.put(f"/api/v1/admins/{DORA}", json={"role": "super-admin"})))["domains"] == []
    await ok(await root_client.delete(f"/api/v1/admins/{CARL}"), 204)
    assert (await root_client.get(f"/api/v1/admins/{CARL}")).status_code == 404
    assert (await root_client.delete(f"/api/v1/admins/{CARL}")).status_code == 404
    for body in ({"role": "user"}, {"role": "super-admin", "domains": ["example.org"]}, {}):
        assert (await root_client.put(f"/api/v1/admins/{CARL}", json=body)).status_code == 422
    missing = {"role": "domain-admin", "domains": ["missing.example"]}
    assert (await root_client.put(f"/api/v1/admins/{CARL}", json=missing)).status_code == 404
    assert (await root_client.put("/api/v1/admins/x@example.org", json={"role": "super-admin"})).status_code == 404
    rows = [(row["action"], row["target"]) for row in await admin_api.audit() if row["action"].startswith("admin.")]
    assert rows == [
        ("admin.grant", CARL),
        ("admin.grant", CARL),
        ("admin.grant", DORA),
        ("admin.revoke", CARL),
    ]


async def test_a_domain_admin_changes_no_account_above_him(admin_api: AdminApi) -> None:
    await admin_api.account(CARL, role=Role.DOMAIN_ADMIN)
    await admin_api.account("root@example.org", role=Role.SUPER_ADMIN)
    await admin_api.account("ann@example.org")
    carl = admin_api.connect(await admin_api.token("carl", Role.DOMAIN_ADMIN, account=CARL))
    for address, status in (("ann@example.org", 200), ("root@example.org", 403)):
        answer = await carl.patch(f"/api/v1/accounts/{address}", json={"display_name": "X"})
        assert answer.status_code == status
    assert (await carl.get("/api/v1/accounts/root@example.org")).status_code == 200
    assert (await carl.delete("/api/v1/accounts/root@example.org")).status_code == 403
    assert (await carl.put("/api/v1/admins/carl@example.org", json={"role": "super-admin"})).status_code == 403


async def test_a_domain_admin_sees_the_audit_of_his_domains(
    admin_api: AdminApi, root_client: httpx.AsyncClient
) -> None:
    await admin_api.account(CARL, role=Role.DOMAIN_ADMIN)
    await admin_api.account(DORA)
    for address in (CARL, DORA):
        await ok(await root_client.patch(f"/api/v1/accounts/{address}", json={"display_name": "X"}))
    await ok(await root_client.patch(f"{SETTINGS}/bans", json={"threshold": 3}))
    carl = admin_api.connect(await admin_api.token("carl", account=CARL))
    seen = (await ok(await carl.get("/api/v1/audit")))["items"]
    assert [(entry["target"], entry["domain"]) for entry in seen] == [(CARL, "example.org")]
    assert (await carl.get("/api/v1/audit?domain=example.net")).status_code == 404
    for query in ("actor=token%20root", f"target={DORA}", "action=settings", "outcome=ok"):
        found = (await ok(await carl.get(f"/api/v1/audit?{query}")))["items"]
        assert all(entry["domain"] == "example.org" for entry in found)
    everything = (await ok(await root_client.get("/api/v1/audit")))["items"]
    assert everything[0]["action"] == "settings.update"
    assert [entry["id"] for entry in everything] == sorted((entry["id"] for entry in everything), reverse=True)


async def test_the_audit_log_comes_in_pages_while_it_grows(admin_api: AdminApi, root_client: httpx.AsyncClient) -> None:
    for number in range(1, 8):
        await ok(await root_client.patch(f"{SETTINGS}/bans", json={"threshold": number}))
    found: list[int] = []
    cursor = ""
    while True:
        page = await ok(await root_client.get("/api/v1/audit", params={"limit": 2, "cursor": cursor}))
        found += [entry["after"]["threshold"] for entry in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
        if len(found) == 2:
            await ok(await root_client.patch(f"{SETTINGS}/bans", json={"threshold": 99}))
    assert found == [7, 6, 5, 4, 3, 2, 1]


async def test_nothing_of_the_api_changes_the_audit_log(admin_api: AdminApi, root_client: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await root_client.request(method, "/api/v1/audit")).status_code == 405
        assert (await root_client.request(method, "/api/v1/audit/1")).status_code == 404
