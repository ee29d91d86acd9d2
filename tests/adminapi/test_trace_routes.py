"""/api/v1/trace and /api/v1/stats: what is shown, and to whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi
from mailraven.trace import Kind, TraceEvent

TRACE, STATS = "/api/v1/trace", "/api/v1/stats"


@pytest.fixture
async def ids(admin_api: AdminApi) -> dict[str, int]:
    """Accounts, and what happened to their mail."""
    found = {
        "jane": await admin_api.account("jane@one.test", password=None),
        "john": await admin_api.account("john@two.test", password=None),
        "boss": await admin_api.account("boss@one.test", role=Role.DOMAIN_ADMIN, password=None),
    }
    recorder = admin_api.services.trace
    common: dict[str, Any] = {"sender": "jane@one.test", "message_id": "<m1@one.test>", "peer": "192.0.2.1"}
    recorder.record(
        TraceEvent(Kind.DELIVERED, "t.1", found["john"], recipient="john@two.test", detail="INBOX, UID 1", **common)
    )
    recorder.record(
        TraceEvent(Kind.QUEUED, "t.1", found["jane"], recipient="bob@far.test", detail="queue id 7", **common)
    )
    recorder.record(TraceEvent(Kind.REFUSED, "u.0", recipient="nobody@two.test", peer="192.0.2.2", detail="RCPT: 550"))
    await recorder.flush()
    return found


async def as_(admin_api: AdminApi, address: str, role: Role = Role.USER) -> httpx.AsyncClient:
    return admin_api.connect(await admin_api.token(address, role, account=address))


def shown(answer: httpx.Response) -> list[tuple[str, list[str]]]:
    assert answer.status_code == 200, answer.text
    return [(item["trace_id"], sorted(e["recipient"] for e in item["events"])) for item in answer.json()["items"]]


BOTH = ("t.1", ["bob@far.test", "john@two.test"])


@pytest.mark.usefixtures("ids")
async def test_a_super_admin_finds_mail_by_whatever_he_knows(root_client: httpx.AsyncClient) -> None:
    assert shown(await root_client.get(TRACE)) == [("u.0", ["nobody@two.test"]), BOTH]
    for query in (
        {"message_id": "<m1@one.test>"},
        {"message_id": "m1@one.test"},
        {"address": "Jane@one.test"},
        {"address": "bob@far.test"},
        {"trace_id": "t.1"},
    ):
        assert shown(await root_client.get(TRACE, params=query)) == [BOTH]
    (item,) = (await root_client.get(TRACE, params={"trace_id": "t.1"})).json()["items"]
    assert (item["message_id"], item["sender"]) == ("m1@one.test", "jane@one.test")
    assert item["events"][0]["line"].endswith(
        "came from 192.0.2.1 and is in the mailbox of john@two.test: INBOX, UID 1"
    )
    assert item["started_at"] == item["events"][0]["at"]


async def test_everybody_sees_what_is_his(admin_api: AdminApi, ids: dict[str, int]) -> None:
    assert ids
    async with await as_(admin_api, "jane@one.test") as jane:
        assert shown(await jane.get(TRACE)) == [("t.1", ["bob@far.test"])]
        assert shown(await jane.get(TRACE, params={"address": "john@two.test"})) == []
        assert (await jane.get(STATS)).status_code == 403
    async with await as_(admin_api, "john@two.test") as john:
        assert shown(await john.get(TRACE, params={"message_id": "m1@one.test"})) == [("t.1", ["john@two.test"])]
    async with await as_(admin_api, "boss@one.test", Role.DOMAIN_ADMIN) as boss:
        assert shown(await boss.get(TRACE)) == [BOTH]  # the sender is of his domain
        assert shown(await boss.get(TRACE, params={"trace_id": "u.0"})) == []
        figures = (await boss.get(STATS)).json()
        assert (figures["domains"], figures["accounts"], figures["active_bans"]) == (1, 2, None)
        assert figures["last_hour"]["refused"] == 0


@pytest.mark.usefixtures("ids")
async def test_pages_go_on_where_they_ended(root_client: httpx.AsyncClient) -> None:
    first = await root_client.get(TRACE, params={"limit": 1})
    assert shown(first) == [("u.0", ["nobody@two.test"])]
    second = await root_client.get(TRACE, params={"limit": 1, "cursor": first.json()["next"]})
    assert shown(second) == [BOTH]
    assert second.json()["next"] is None
    for cursor in ("x", "MjAyNg", "OTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OSB4"):
        assert (await root_client.get(TRACE, params={"cursor": cursor})).status_code == 422


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"since": "2026-01-01T00:00:00"}, 422),  # in which zone?
        ({"since": "0001-01-01T00:00:00+14:00", "address": "x@y"}, 200),
        ({"until": "9999-12-31T23:59:59-12:00", "address": "x@y"}, 200),
        ({"since": "0001-01-01T00:00:00+14:00"}, 422),
        ({"until": "0001-01-01T00:00:00Z"}, 200),
        ({"address": "\0"}, 422),
        ({"address": "x" * 321}, 422),
        ({"message_id": "'; DROP TABLE trace_event; --"}, 200),
        ({"trace_id": "%"}, 200),
    ],
)
async def test_odd_questions_get_a_clear_answer(
    root_client: httpx.AsyncClient, query: dict[str, str], status: int
) -> None:
    answer = await root_client.get(TRACE, params=query)
    assert answer.status_code == status, answer.text
    if answer.status_code == 200:
        assert answer.json() == {"items": [], "next": None}


@pytest.mark.usefixtures("ids")
async def test_figures_of_the_whole_server(root_client: httpx.AsyncClient) -> None:
    figures = (await root_client.get(STATS)).json()
    assert {name: figures[name] for name in ("domains", "accounts", "messages", "active_bans")} == {
        "domains": 2,
        "accounts": 3,
        "messages": 0,
        "active_bans": 0,
    }
    assert figures["last_hour"] == figures["last_day"]
    assert (figures["last_hour"]["received"], figures["last_hour"]["refused"]) == (1, 1)
    series = (await root_client.get(f"{STATS}/timeseries", params={"hours": 3})).json()["hours"]
    assert len(series) == 3
    assert datetime.fromisoformat(series[-1]["hour"]) >= datetime.now(UTC) - timedelta(hours=2)
    assert sum(hour["received"] for hour in series) == 1
    for hours in (0, 721, "x"):
        assert (await root_client.get(f"{STATS}/timeseries", params={"hours": hours})).status_code == 422


async def test_figures_are_counted_once_for_a_while(
    admin_api: AdminApi, root_client: httpx.AsyncClient, ids: dict[str, int]
) -> None:
    assert len(ids) == 3
    first = (await root_client.get(STATS)).json()
    await admin_api.account("late@one.test", password=None)
    assert (await root_client.get(STATS)).json() == first
