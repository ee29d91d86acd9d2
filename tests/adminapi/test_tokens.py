"""Tokens through the API: nobody makes one that may do more or live longer than himself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import PASSWORD, AdminApi

TOKENS = "/api/v1/tokens"
ANN, CARL = "ann@example.org", "carl@example.org"


@pytest.fixture
async def api(admin_api: AdminApi) -> AdminApi:
    await admin_api.account(ANN)
    await admin_api.account(CARL, role=Role.DOMAIN_ADMIN, domains=("example.net",))
    await admin_api.services.directory.create_domain("foreign.example")
    return admin_api


def ahead(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


async def make(client: httpx.AsyncClient, status: int = 201, **body: Any) -> Any:
    answer = await client.post(TOKENS, json={"name": "made", **body})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_token_is_shown_once_and_stored_hashed(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    made = await make(root_client, scopes=["domains:read"])
    secret = made.pop("token")
    assert secret.startswith("mr_")
    assert made["created_by"] == "token root"
    assert (await root_client.get(f"{TOKENS}/made")).json() == made
    listed = (await root_client.get(TOKENS)).json()["items"]
    assert [token["name"] for token in listed] == ["made", "root"]
    async with api.services.database.acquire() as connection:
        stored = await connection.fetchval("SELECT string_agg(api_token::text, ' ') FROM api_token")
    assert secret not in stored
    assert secret not in str(await api.audit())
    client = api.connect(secret)
    assert (await client.get("/api/v1/domains")).status_code == 200
    assert (await client.get("/api/v1/accounts")).status_code == 403


async def test_the_last_use_is_known_to_the_minute(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    client = api.connect((await make(root_client))["token"])
    assert (await root_client.get(f"{TOKENS}/made")).json()["last_used_at"] is None
    for _ in range(3):
        await client.get("/api/v1/version")
    await api.services.token_uses.flush()
    used = datetime.fromisoformat((await root_client.get(f"{TOKENS}/made")).json()["last_used_at"])
    assert used.second == used.microsecond == 0
    assert abs(datetime.now(UTC) - used) < timedelta(minutes=2)


async def test_a_rotated_token_has_one_secret(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    old = (await make(root_client, expires_at=ahead(days=10)))["token"]
    answer = await root_client.post(f"{TOKENS}/made/rotate")
    assert answer.status_code == 200
    new = answer.json()
    assert (await api.connect(old).get("/api/v1/version")).status_code == 401
    assert (await api.connect(new["token"]).get("/api/v1/version")).status_code == 200
    left = datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=9.9) < left < timedelta(days=10.1)
    assert (await root_client.post(f"{TOKENS}/none/rotate")).status_code == 404


async def test_a_deleted_and_an_expired_token_open_nothing(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    first, second = await make(root_client), await make(root_client, name="second", expires_at=ahead(hours=1))
    assert (await root_client.delete(f"{TOKENS}/made")).status_code == 204
    async with api.services.database.acquire() as connection:
        await connection.execute("UPDATE api_token SET expires_at = now() WHERE name = 'second'")
    for made in (first, second):
        assert (await api.connect(made["token"]).get("/api/v1/version")).status_code == 401
    assert (await root_client.delete(f"{TOKENS}/made")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "a/../b"}, 201),
        ({"name": "root"}, 409),
        ({"scopes": []}, 422),
        ({"scopes": ["domains:delete"]}, 422),
        ({"scopes": ["*", "nothing:read"]}, 422),
        ({"role": "user"}, 422),
        ({"role": "owner"}, 422),
        ({"account": "nobody@example.org"}, 404),
        ({"account": "nonsense"}, 422),
        ({"domains": ["missing.example"]}, 404),
        ({"domains": ["-"]}, 422),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"expires_at": "2090-01-01T00:00:00"}, 422),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, 422),
        ({"token": "mr_mine"}, 422),
    ],
)
async def test_what_a_token_may_be(
    api: AdminApi, root_client: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    await make(root_client, status, **body)


async def test_a_user_makes_tokens_that_act_as_himself(api: AdminApi) -> None:
    ann = api.connect(await api.token("ann", Role.USER, account=ANN))
    made = await make(ann)
    assert (made["account"], made["role"]) == (ANN, "user")
    assert (await api.connect(made["token"]).get(f"/api/v1/accounts/{ANN}")).status_code == 200
    await make(ann, 403, name="x", role="domain-admin")
    await make(ann, 404, name="x", account=CARL)
    assert [token["name"] for token in (await ann.get(TOKENS)).json()["items"]] == ["ann", "made"]
    await api.token("other")
    for method, path in (("GET", "other"), ("DELETE", "other"), ("POST", "other/rotate")):
        assert (await ann.request(method, f"{TOKENS}/{path}")).status_code == 404
    assert (await ann.delete(f"{TOKENS}/made")).status_code == 204


async def test_no_token_makes_a_stronger_one(api: AdminApi) -> None:
    limited = api.connect(await api.token("limited", scopes=("tokens:write", "domains:read")))
    await make(limited, 403, name="x", scopes=["*"])
    await make(limited, 403, name="x", scopes=["read"])
    await make(limited, 403, name="x", scopes=["domains:write"])
    made = await make(limited, name="x")
    assert made["scopes"] == ["domains:read", "tokens:write"]
    strong = await api.token("strong")
    assert (await limited.post(f"{TOKENS}/strong/rotate")).status_code == 403
    assert (await api.connect(strong).get("/api/v1/version")).status_code == 200


async def test_no_token_makes_one_that_outlives_it(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    short = await make(root_client, name="short", expires_at=ahead(hours=1))
    client = api.connect(short["token"])
    await make(client, 422, name="x", expires_at=ahead(days=1))
    made = await make(client, name="x")
    assert made["expires_at"] == short["expires_at"]
    rotated = (await client.post(f"{TOKENS}/short/rotate")).json()
    assert rotated["expires_at"] <= short["expires_at"]


async def test_the_longest_life_is_a_setting(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    await api.setting("admin", token_days=7)
    made = await make(root_client)
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < left <= timedelta(days=7)
    await make(root_client, 422, name="x", expires_at=ahead(days=8))


async def test_a_domain_admin_restricts_his_tokens_and_cannot_escape(api: AdminApi) -> None:
    carl = api.connect()
    answer = await carl.post("/api/v1/session", json={"address": CARL, "password": PASSWORD})
    carl.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    made = await make(carl, name="net", domains=["example.net"])
    client = api.connect(made["token"])
    assert (await client.get("/api/v1/domains/example.net")).status_code == 200
    assert (await client.get("/api/v1/domains/example.org")).status_code == 404
    await make(carl, 404, name="x", domains=["foreign.example"])
    await make(client, 404, name="x", domains=["example.org"])
    child = await make(client, name="child")
    assert child["domains"] == ["example.net"]
    await make(carl, name="wide")
    assert (await client.post(f"{TOKENS}/wide/rotate")).status_code == 403
    weak = api.connect((await make(carl, name="weak", role="user"))["token"])
    assert (await weak.get("/api/v1/domains")).status_code == 403
    assert (await weak.post(f"{TOKENS}/wide/rotate")).status_code == 403


async def test_a_token_is_never_more_than_its_account(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    made = await make(root_client, account=CARL, role="super-admin")
    client = api.connect(made["token"])
    assert (await client.get("/api/v1/me")).json()["role"] == "domain-admin"
    assert (await client.get("/api/v1/domains/foreign.example")).status_code == 404
    assert (await root_client.delete(f"/api/v1/admins/{CARL}")).status_code == 204
    assert (await client.get("/api/v1/domains")).status_code == 403
    async with api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET suspended = true")
    assert (await client.get("/api/v1/me")).status_code == 401


async def test_tokens_come_in_pages(api: AdminApi, root_client: httpx.AsyncClient) -> None:
    for number in range(7):
        await make(root_client, name=f"t{number}")
    names: list[str] = []
    cursor = ""
    for _ in range(10):
        page = (await root_client.get(TOKENS, params={"limit": 3, "cursor": cursor})).json()
        assert len(page["items"]) <= 3
        names += [token["name"] for token in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert names == ["root", *(f"t{number}" for number in range(7))]
