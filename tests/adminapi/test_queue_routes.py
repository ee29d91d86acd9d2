"""The queue through the API: lists, one message, actions by id and by filter, and whose mail an admin may act on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven import queue
from mailraven.directory.roles import Role
from mailraven.mailstore import Delivery, RemoteRecipient
from mailraven.testing.admin_api import AdminApi, running_admin_api

QUEUE = "/api/v1/queue"
RAW = b"From: a@one.test\r\nSubject: secret plans\r\n\r\nbody\r\n"


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """Two domains with an account each that has mail in the queue."""
    async with running_admin_api(dsn, tmp_path, config={"blobs": {"directory": str(tmp_path / "blobs")}}) as running:
        for address, recipients in (("a@one.test", ("x@far.test", "y@near.test")), ("b@two.test", ("z@far.test",))):
            account = await running.account(address, password=None)
            remote = tuple(RemoteRecipient(one, one.partition("@")[2]) for one in recipients)
            await running.services.mailstore.intake.deliver(
                Delivery(RAW, (), remote, address, trace_id=f"trace-{address}", submitter_account=account)
            )
        yield running


@pytest.fixture
async def root(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    async with await api.admin() as client:
        yield client


@pytest.fixture
async def admin(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """Of one.test."""
    await api.account("admin@one.test", role=Role.DOMAIN_ADMIN, password=None)
    async with api.connect(await api.token("admin", Role.DOMAIN_ADMIN, account="admin@one.test")) as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def result(**fields: Any) -> dict[str, Any]:
    return {"changed": 0, "attempting": 0, "unchanged": 0, "account_held": 0, "more": False, **fields}


async def recipients(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [entry["recipient"] for entry in ok(await client.get(QUEUE, params=params))["items"]]


async def test_a_list_with_filters_and_pages(root: httpx.AsyncClient) -> None:
    entry = ok(await root.get(QUEUE))["items"][0]
    assert (entry["recipient"], entry["state"], entry["sender"], entry["account"]) == (
        "z@far.test",
        "queued",
        "b@two.test",
        "b@two.test",
    )
    assert (entry["size"], entry["attempts"], entry["due_at"] is not None) == (len(RAW), 0, True)
    assert await recipients(root, domain="FAR.test") == ["z@far.test", "x@far.test"]
    assert await recipients(root, account="a@one.test") == ["y@near.test", "x@far.test"]
    assert await recipients(root, sender="@two.test") == ["z@far.test"]
    assert await recipients(root, recipient="X@far.test") == ["x@far.test"]
    assert await recipients(root, state=["held", "failed"]) == []
    assert await recipients(root, older_than_minutes=1) == []
    assert await recipients(root, sender="<>") == []
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = ok(await root.get(QUEUE, params={"limit": 1, "cursor": cursor}))
        seen += [one["recipient"] for one in page["items"]]
        cursor = page["next"]
    assert seen == ["z@far.test", "y@near.test", "x@far.test"]


async def test_the_summary_counts_by_domain_and_state(root: httpx.AsyncClient) -> None:
    ok(await root.post(f"{QUEUE}/hold", json={"filter": {"recipient": "x@far.test"}}))
    counted = ok(await root.get(f"{QUEUE}/summary"))["items"]
    assert {(one["domain"], one["state"]): one["recipients"] for one in counted} == {
        ("far.test", "held"): 1,
        ("far.test", "queued"): 1,
        ("near.test", "queued"): 1,
    }


async def test_one_message_with_its_header_for_who_may_read_mail(api: AdminApi, root: httpx.AsyncClient) -> None:
    message_id = ok(await root.get(QUEUE, params={"account": "a@one.test"}))["items"][0]["message_id"]
    shown = ok(await root.get(f"{QUEUE}/{message_id}"))
    assert "Subject: secret plans" in shown["header"]
    assert "body" not in shown["header"]
    assert [one["recipient"] for one in shown["recipients"]] == ["y@near.test", "x@far.test"]
    (entry,) = [one for one in await api.audit() if one["action"] == "mail.read"]
    assert (entry["target"], entry["after"]) == ("a@one.test", {"queue_message": message_id})
    async with api.connect(await api.token("only queue", scopes=("queue:read",))) as narrow:
        assert ok(await narrow.get(f"{QUEUE}/{message_id}"))["header"] is None
        assert (await narrow.post(f"{QUEUE}/{message_id}/hold")).status_code == 403
    assert (await root.get(f"{QUEUE}/99999")).status_code == 404


async def test_actions_on_one_message(api: AdminApi, root: httpx.AsyncClient) -> None:
    message_id = ok(await root.get(QUEUE, params={"account": "a@one.test"}))["items"][0]["message_id"]
    where = f"{QUEUE}/{message_id}"
    assert ok(await root.post(f"{where}/hold")) == result(changed=2)
    assert ok(await root.post(f"{where}/hold")) == result(unchanged=2)
    assert ok(await root.get(where))["recipients"][0]["held_from"] == "queued"
    assert ok(await root.post(f"{where}/retry")) == result(unchanged=2)
    assert ok(await root.post(f"{where}/release")) == result(changed=2)
    assert ok(await root.post(f"{where}/retry")) == result(changed=2)
    assert ok(await root.post(f"{where}/cancel")) == result(changed=2)
    for one in ok(await root.get(where))["recipients"]:
        assert (one["state"], one["last_reply"], one["due_at"]) == ("failed", "cancelled by token root", None)
    for action in ("hold", "release", "retry", "cancel"):
        assert (await root.post(f"{QUEUE}/99999/{action}")).status_code == 404
    entries = [one for one in await api.audit() if one["action"].startswith("queue.")]
    assert [one["action"] for one in entries] == [
        f"queue.{action}" for action in ("hold", "hold", "retry", "release", "retry", "cancel")
    ]
    assert entries[0]["after"] == {"sender": "a@one.test", "trace_id": "trace-a@one.test", "changed": 2}
    await api.services.trace.flush()
    async with api.services.database.acquire() as connection:
        kinds = await connection.fetch("SELECT kind, count(*) FROM trace_event GROUP BY 1")
    assert {row[0]: row[1] for row in kinds} == {"held": 2, "released": 2, "retried": 2, "cancelled": 2}


async def test_actions_by_filter_are_bounded(api: AdminApi, root: httpx.AsyncClient) -> None:
    assert ok(await root.post(f"{QUEUE}/hold", json={"filter": {"all": True}, "limit": 2})) == result(
        changed=2, more=True
    )
    assert ok(await root.post(f"{QUEUE}/hold", json={"filter": {"all": True}, "limit": 2})) == result(changed=1)
    body = {"filter": {"sender": "@one.test"}, "notify_sender": True}
    assert ok(await root.post(f"{QUEUE}/cancel", json=body)) == result(changed=2)
    async with api.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT state, cancelled FROM queue_recipient WHERE cancelled <> ''")
    assert [tuple(row) for row in rows] == [("queued", "cancelled by an administrator")] * 2


BAD = [
    ("hold", {"filter": {}}),
    ("hold", {"filter": {"all": False}}),
    ("hold", {}),
    ("hold", {"filter": {"all": True}, "limit": 0}),
    ("hold", {"filter": {"all": True}, "limit": 10_001}),
    ("hold", {"filter": {"state": ["lost"]}}),
    ("hold", {"filter": {"domain": "not a domain"}}),
    ("hold", {"filter": {"ids": []}}),
    ("hold", {"filter": {"ids": [2**63]}}),
    ("hold", {"filter": {"older_than_minutes": -1}}),
    ("release", {"filter": {"all": True}, "lift_account_hold": True}),
    ("cancel", {"filter": {"all": True}, "notify": True}),
]


@pytest.mark.parametrize(("action", "body"), BAD, ids=str)
async def test_bad_actions_change_nothing(root: httpx.AsyncClient, action: str, body: dict[str, Any]) -> None:
    before = ok(await root.get(QUEUE))
    assert (await root.post(f"{QUEUE}/{action}", json=body)).status_code == 422
    assert ok(await root.get(QUEUE)) == before


async def test_a_domain_admin_sees_and_touches_mail_of_his_accounts_only(
    api: AdminApi, root: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    foreign = ok(await root.get(QUEUE, params={"account": "b@two.test"}))["items"][0]
    assert await recipients(admin) == ["y@near.test", "x@far.test"]
    assert {one["domain"] for one in ok(await admin.get(f"{QUEUE}/summary"))["items"]} == {"far.test", "near.test"}
    assert (await admin.get(QUEUE, params={"account": "b@two.test"})).status_code == 404
    assert (await admin.get(f"{QUEUE}/{foreign['message_id']}")).status_code == 404
    mine = ok(await admin.get(QUEUE))["items"][0]["message_id"]
    assert ok(await admin.get(f"{QUEUE}/{mine}"))["header"] is None
    for action in ("hold", "release", "retry", "cancel"):
        assert (await admin.post(f"{QUEUE}/{foreign['message_id']}/{action}")).status_code == 404
    by_id = {"filter": {"ids": [foreign["id"]]}}
    assert ok(await admin.post(f"{QUEUE}/cancel", json=by_id)) == result()
    assert ok(await admin.post(f"{QUEUE}/cancel", json={"filter": {"all": True}})) == result(changed=2)
    assert await recipients(root) == ["z@far.test"]
    async with api.connect(await api.token("a", Role.USER, account="a@one.test")) as user:
        assert (await user.get(QUEUE)).status_code == 403
        assert (await user.post(f"{QUEUE}/{mine}/release")).status_code == 403
    assert (await api.client.get(QUEUE)).status_code == 401


async def test_mail_of_a_held_account_is_released_with_the_account(
    api: AdminApi, root: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    account = await api.services.directory.get_account("a@one.test")
    async with api.services.database.transaction() as connection:
        await queue.hold_account(connection, account.id, "bounces")
    chosen = {"filter": {"account": "a@one.test"}}
    assert ok(await admin.get(QUEUE))["items"][0]["account_held"] == "bounces"
    assert ok(await admin.post(f"{QUEUE}/release", json=chosen)) == result(account_held=2)
    lifted = await admin.post(f"{QUEUE}/release", json={**chosen, "lift_account_hold": True})
    assert ok(lifted) == result(changed=2)
    assert ok(await admin.get(QUEUE))["items"][0]["account_held"] is None
    entry = (await api.audit())[-1]
    assert (entry["action"], entry["target"]) == ("queue.release", "a@one.test")
    assert entry["after"] == {"filter": chosen["filter"], "changed": 2, "account_hold_lifted": True}
    foreign = {"filter": {"account": "b@two.test"}, "lift_account_hold": True}
    assert (await admin.post(f"{QUEUE}/release", json=foreign)).status_code == 404


async def test_an_admin_lifts_no_hold_of_a_higher_role(api: AdminApi, admin: httpx.AsyncClient) -> None:
    await api.account("boss@one.test", role=Role.SUPER_ADMIN, password=None)
    body = {"filter": {"account": "boss@one.test"}, "lift_account_hold": True}
    assert (await admin.post(f"{QUEUE}/release", json=body)).status_code == 403
