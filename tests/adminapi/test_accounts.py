"""Accounts through the API: made, changed, listed, emptied and removed, and by whom."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.directory import Suspended, Targets
from mailraven.directory.roles import Role
from mailraven.mailstore import Delivery, LocalTarget, NoSuchMailbox, emptying
from mailraven.testing.admin_api import PASSWORD, AdminApi, running_admin_api


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """With example.org and example.net."""
    async with running_admin_api(dsn, tmp_path) as running:
        for name in ("example.org", "example.net"):
            await running.services.directory.create_domain(name)
        yield running


@pytest.fixture
async def root(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """A super-admin."""
    async with await api.admin() as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


async def deliver(api: AdminApi, account: int, count: int) -> None:
    target = LocalTarget(account, "anna@example.org", b"")
    deliveries = [
        Delivery(
            raw=b"Subject: %d\r\n\r\n" % number + b"x" * (40_000 if number == 0 else 10),
            recipients=(target,),
            remote=(),
            return_path="x@elsewhere.example",
            trace_id="t",
            submitter_account=None,
        )
        for number in range(count)
    ]
    await asyncio.gather(*(api.services.mailstore.intake.deliver(delivery) for delivery in deliveries))


async def test_put_makes_changes_and_repeats(root: httpx.AsyncClient, api: AdminApi) -> None:
    where = "/api/v1/accounts/Anna@Example.org"
    made = await root.put(where, json={"display_name": "Anna", "password": PASSWORD, "quota_bytes": 10})
    document = ok(made, 201)
    assert made.headers["etag"] == '"1"'
    assert (document["address"], document["has_password"], document["role"]) == ("anna@example.org", True, "user")
    assert await api.services.directory.authenticate("anna@example.org", PASSWORD, protocol="imap")
    again = await root.put(where, json={"display_name": "Anna"})
    assert ok(again) == document
    changed = await root.put(where, json={"suspended": True}, headers={"If-Match": '"1"'})
    assert ok(changed)["display_name"] == ""
    assert ok(changed)["quota_bytes"] == 10
    problem(await root.put(where, json={}, headers={"If-Match": '"1"'}), 412)
    assert await api.services.directory.authenticate("anna@example.org", PASSWORD, protocol="imap") is None
    log = await api.audit()
    assert [entry["action"] for entry in log] == ["account.create", "account.update"]
    assert PASSWORD not in str(log)
    assert "argon2" not in str(log)
    assert (log[1]["before"], log[1]["after"]) == (
        {"display_name": "Anna", "suspended": False},
        {"display_name": "", "suspended": True},
    )


async def test_post_and_what_speaks_against_it(root: httpx.AsyncClient) -> None:
    made = await root.post("/api/v1/accounts", json={"address": "Jürgen@example.org", "password": PASSWORD})
    assert ok(made, 201)["address"] == "jürgen@example.org"
    where = made.headers["location"]
    assert ok(await root.get(where))["address"] == "jürgen@example.org"
    problem(await root.post("/api/v1/accounts", json={"address": "JÜRGEN@example.org"}), 409)
    problem(await root.post("/api/v1/accounts", json={"address": "x@elsewhere.example"}), 404)
    ok(await root.put("/api/v1/domains/example.org/aliases/info", json={"targets": ["x@a.example"]}), 201)
    problem(await root.post("/api/v1/accounts", json={"address": "info@example.org"}), 409)
    problem(await root.put("/api/v1/accounts/info@example.org", json={}), 409)
    weak = problem(await root.post("/api/v1/accounts", json={"address": "b@example.org", "password": "password1"}), 422)
    assert "password" in weak.lower()
    assert "password1" not in weak
    both = {"address": "b@example.org", "password": PASSWORD, "password_hash": "$argon2id$x"}
    problem(await root.post("/api/v1/accounts", json=both), 422)
    problem(await root.post("/api/v1/accounts", json={"address": "b@example.org", "password_hash": "$1$x"}), 422)


async def test_an_account_can_bring_the_hash_of_its_password(root: httpx.AsyncClient, api: AdminApi) -> None:
    ready = await api.services.directory.hash_password(PASSWORD, address="x@example.org")
    ok(await root.put("/api/v1/accounts/anna@example.org", json={"password_hash": ready}), 201)
    assert await api.services.directory.authenticate("anna@example.org", PASSWORD, protocol="smtp")


@pytest.mark.parametrize(
    "address",
    ["", "anna", "@example.org", "*@example.org", "anna+x@example.org", "a b@example.org", "a@b@example.org",
     "<script>@example.org", "a\r\nb@example.org", "x" * 65 + "@example.org"],
)  # fmt: skip
async def test_an_address_that_no_account_can_have_is_a_422(root: httpx.AsyncClient, address: str) -> None:
    problem(await root.post("/api/v1/accounts", json={"address": address}), 422)
    assert ok(await root.get("/api/v1/accounts"))["items"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": "a\r\nBcc: x"},
        {"display_name": "x" * 201},
        {"quota_bytes": 0},
        {"quota_bytes": 2**63},
        {"quota_bytes": "many"},
        {"disabled": ["telnet"]},
        {"limits": {"messages": [{"count": 1, "window": "hour"}, {"count": 2, "window_minutes": 60}]}},
        {"forwarding": {"targets": []}},
        {"forwarding": {"targets": ["anna@example.org"]}},
        {"vacation": {"starts_at": "2026-08-01T00:00:00"}},
        {"vacation": {"starts_at": "2026-08-02T00:00:00Z", "ends_at": "2026-08-01T00:00:00Z"}},
        {"role": "super-admin"},
    ],
)
async def test_a_field_that_cannot_be_is_a_422_and_nothing_is_made(
    root: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    problem(await root.put("/api/v1/accounts/anna@example.org", json=fields), 422)
    assert ok(await root.get("/api/v1/accounts"))["items"] == []


async def test_patch_forwarding_vacation_and_usage(root: httpx.AsyncClient, api: AdminApi) -> None:
    account = await api.account("anna@example.org")
    where = "/api/v1/accounts/anna@example.org"
    shown = ok(await root.patch(where, json={"labels": {"tier": "gold"}, "limits": {"messages": []}}))
    assert (shown["labels"], shown["limits"]["messages"]) == ({"tier": "gold"}, [])
    forwarded = ok(
        await root.put(where + "/forwarding", json={"targets": ["out@elsewhere.example"], "keep_copy": False})
    )
    assert forwarded["forwarding"] == {"targets": ["out@elsewhere.example"], "keep_copy": False}
    found = await api.services.directory.resolve("anna@example.org")
    assert isinstance(found, Targets)
    assert (found.accounts, found.remote) == ((), ("out@elsewhere.example",))
    assert ok(await root.delete(where + "/forwarding"))["forwarding"] is None
    assert ok(await root.put(where + "/vacation", json={"enabled": True, "text": "Away"}))["vacation"]["text"] == "Away"
    assert ok(await root.delete(where + "/vacation"))["vacation"] is None
    ok(await root.patch(where, json={"disabled": ["receive"]}))
    assert await api.services.directory.resolve("anna@example.org") == Suspended((account,))
    await deliver(api, account, 2)
    usage = ok(await root.get(where + "/usage"))
    assert usage["messages"] == 2
    assert usage["used_bytes"] > 40_000
    assert {"name": "Sent", "messages": 0, "unseen": 0, "bytes": 0} in usage["mailboxes"]


async def test_a_full_domain_says_so(root: httpx.AsyncClient) -> None:
    ok(await root.put("/api/v1/domains/few.example", json={"max_users": 1, "default_quota": 77}), 201)
    made = ok(await root.post("/api/v1/accounts", json={"address": "a@few.example"}), 201)
    assert made["quota_bytes"] == 77
    assert "max_users" in problem(await root.post("/api/v1/accounts", json={"address": "b@few.example"}), 409)
    assert "max_users" in problem(await root.put("/api/v1/accounts/b@few.example", json={}), 409)
    ok(await root.put("/api/v1/accounts/a@few.example", json={"quota_bytes": None}))


async def test_lists_come_in_pages_and_can_be_filtered(root: httpx.AsyncClient, api: AdminApi) -> None:
    for name in ("a@example.net", "b@example.net", "a@example.org", "b@example.org", "c@example.org"):
        await api.account(name, password=None)
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(await root.get("/api/v1/accounts", params={"limit": 2, "cursor": cursor}))
        seen += [account["address"] for account in page["items"]]
        cursor = page["next"]
    assert seen == ["a@example.net", "b@example.net", "a@example.org", "b@example.org", "c@example.org"]
    ok(await root.patch("/api/v1/accounts/b@example.org", json={"suspended": True, "display_name": "Ben"}))
    for params, expected in (
        ({"domain": "Example.NET"}, ["a@example.net", "b@example.net"]),
        ({"q": "c@EX"}, ["c@example.org"]),
        ({"q": "ben"}, ["b@example.org"]),
        ({"suspended": "true"}, ["b@example.org"]),
        ({"role": "domain-admin"}, []),
    ):
        found = ok(await root.get("/api/v1/accounts", params=params))
        assert [account["address"] for account in found["items"]] == expected
    problem(await root.get("/api/v1/accounts", params={"cursor": "bm8gYWRkcmVzcw"}), 422)


async def test_an_account_with_mail_goes_only_with_its_mail(root: httpx.AsyncClient, api: AdminApi) -> None:
    account = await api.account("anna@example.org")
    where = "/api/v1/accounts/anna@example.org"
    await api.services.mailstore.create(account, "Folder")
    await deliver(api, account, 30)
    assert "holds mail" in problem(await root.delete(where), 409)
    problem(await root.delete(where, params={"delete_mail": True}, headers={"If-Match": '"7"'}), 412)
    ok(await root.delete(where, params={"delete_mail": True}), 204)
    problem(await root.get(where), 404)
    database = api.services.database
    async with database.acquire() as connection:
        for table in ("account", "mailbox", "message", "message_flags", "mailbox_change", "subscription"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        assert await connection.fetchval("SELECT count(*) FROM body_release") == 30
    assert (await api.services.mailstore.collect(timedelta(0))).bodies == 30
    assert [entry["action"] for entry in await api.audit()] == ["account.close", "account.delete"]
    # The address is free again, for somebody else.
    assert await api.account("anna@example.org") != account


async def test_mail_in_many_steps_while_more_arrives(root: httpx.AsyncClient, api: AdminApi) -> None:
    account = await api.account("anna@example.org")
    await deliver(api, account, 25)
    steps = [step async for step in emptying.empty(api.services.database, account, 10)]
    assert [removed for _, _, removed in steps] == [10, 10, 5]
    usage = ok(await root.get("/api/v1/accounts/anna@example.org/usage"))
    assert (usage["messages"], usage["used_bytes"]) == (0, 0)
    await deliver(api, account, 25)

    async def bring() -> None:
        with contextlib.suppress(NoSuchMailbox):
            for _ in range(40):
                await deliver(api, account, 5)

    async def remove() -> None:
        # 409: more came than a request waits for; the same request again goes on.
        where = "/api/v1/accounts/anna@example.org"
        while (answer := await root.delete(where, params={"delete_mail": True})).status_code == 409:
            pass
        assert answer.status_code == 204

    await asyncio.gather(bring(), remove())
    problem(await root.get("/api/v1/accounts/anna@example.org"), 404)


async def test_a_domain_admin_has_the_accounts_of_his_domains(root: httpx.AsyncClient, api: AdminApi) -> None:
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN)
    await api.account("boss@example.org", role=Role.SUPER_ADMIN)
    await api.account("anna@example.org")
    await api.account("zoe@example.net")
    token = await api.token("a", Role.DOMAIN_ADMIN, account="admin@example.org")
    async with api.connect(token) as admin:
        listed = ok(await admin.get("/api/v1/accounts"))["items"]
        assert [one["address"] for one in listed] == ["admin@example.org", "anna@example.org", "boss@example.org"]
        ok(await admin.post("/api/v1/accounts", json={"address": "ben@example.org", "password": PASSWORD}), 201)
        ok(await admin.put("/api/v1/accounts/carla@example.org", json={}), 201)
        ok(await admin.patch("/api/v1/accounts/anna@example.org", json={"suspended": True, "quota_bytes": 5}))
        ok(await admin.delete("/api/v1/accounts/carla@example.org"), 204)
        # What the operator granted stays.
        ok(await root.patch("/api/v1/accounts/ben@example.org", json={"labels": {"tier": "gold"}}))
        assert ok(await admin.put("/api/v1/accounts/ben@example.org", json={}))["labels"] == {"tier": "gold"}
        problem(await admin.patch("/api/v1/accounts/ben@example.org", json={"limits": {"messages": []}}), 403)
        problem(await admin.put("/api/v1/accounts/ben@example.org", json={"labels": {}}), 403)
        for attempt in (
            admin.put("/api/v1/accounts/boss@example.org", json={}),
            admin.patch("/api/v1/accounts/boss@example.org", json={"suspended": True}),
            admin.delete("/api/v1/accounts/boss@example.org"),
        ):
            problem(await attempt, 403)
        foreign = [
            problem(await attempt, 404)
            for attempt in (
                admin.get("/api/v1/accounts/zoe@example.net"),
                admin.get("/api/v1/accounts/nobody@example.net"),
                admin.get("/api/v1/accounts/nobody@example.org"),
                admin.patch("/api/v1/accounts/zoe@example.net", json={}),
                admin.delete("/api/v1/accounts/zoe@example.net"),
                admin.get("/api/v1/accounts/zoe@example.net/usage"),
            )
        ]
        assert len(set(foreign)) == 1
        made = [
            problem(await admin.put(f"/api/v1/accounts/zoe@{domain}", json={}), 404)
            for domain in ("example.net", "none.example")
        ]
        assert made[0].replace("example.net", "none.example") == made[1]
        problem(await admin.post("/api/v1/accounts", json={"address": "x@example.net"}), 404)
    assert ok(await root.get("/api/v1/accounts/boss@example.org"))["suspended"] is False


async def test_people_have_themselves(root: httpx.AsyncClient, api: AdminApi) -> None:
    await api.account("anna@example.org")
    await api.account("ben@example.org")
    own = "/api/v1/accounts/anna@example.org"
    async with api.connect(await api.token("a", Role.USER, account="anna@example.org")) as anna:
        ok(await anna.get(own))
        ok(await anna.get(own + "/usage"))
        ok(await anna.patch(own, json={"display_name": "Anna", "vacation": {"enabled": True}}))
        ok(await anna.put(own + "/forwarding", json={"targets": ["ben@example.org"]}))
        ok(await anna.put(own + "/senders/evil.example", json={"action": "block"}), 201)
        for fields in ({"quota_bytes": None}, {"suspended": False}, {"disabled": []}, {"password": PASSWORD},
                       {"limits": {}}, {"labels": {}}):  # fmt: skip
            problem(await anna.patch(own, json=fields), 403)
        for attempt in (
            anna.delete(own),
            anna.put(own, json={}),
            anna.get("/api/v1/accounts"),
            anna.post("/api/v1/accounts", json={"address": "x@example.org"}),
            anna.get("/api/v1/domains/example.org"),
            anna.get("/api/users"),
        ):
            problem(await attempt, 403)
        problem(await anna.get("/api/v1/accounts/ben@example.org"), 404)
        problem(await anna.put("/api/v1/accounts/ben@example.org/senders/evil.example", json={"action": "block"}), 404)
        problem(await anna.get("/api/v1/accounts/none@example.org"), 404)
