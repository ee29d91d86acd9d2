"""Mailboxes through the API, and whose mail one may see."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailraven.directory.roles import Role
from mailraven.testing.mail_api import ANNA, BEN, RAW, MailApi, running_mail_api

MESSAGE = b"From: x@far.test\r\nSubject: hello\r\n\r\nText\r\n"


@pytest.fixture
async def both(dsn: str, tmp_path: Path) -> AsyncIterator[tuple[MailApi, MailApi]]:
    async with running_mail_api(dsn, tmp_path) as running:
        yield running


@pytest.fixture
def anna(both: tuple[MailApi, MailApi]) -> MailApi:
    return both[0]


async def test_a_new_account_has_the_usual_mailboxes_with_counters(anna: MailApi) -> None:
    answer = await anna.call("GET", "/mailboxes")
    uses = {box["name"]: box["special_use"] for box in answer["items"]}
    assert uses["INBOX"] is None
    assert {"\\Sent", "\\Trash"} <= set(uses.values())
    assert (answer["used_bytes"], answer["quota_bytes"]) == (0, None)
    await anna.upload(MESSAGE)
    await anna.upload(MESSAGE, flag=["\\Seen", "\\Deleted", "work"])
    inbox = await anna.mailbox()
    assert (inbox["messages"], inbox["unseen"], inbox["deleted"], inbox["uidnext"]) == (2, 1, 1, 3)
    assert (inbox["bytes"], inbox["keywords"]) == (2 * len(MESSAGE), ["work"])
    assert (await anna.call("GET", "/mailboxes"))["used_bytes"] == 2 * len(MESSAGE)


async def test_create_rename_subscribe_and_delete(anna: MailApi) -> None:
    made = await anna.call("POST", "/mailboxes", 201, json={"name": "Work/Räksmörgås"})
    assert (made["name"], made["subscribed"], made["messages"]) == ("Work/Räksmörgås", True, 0)
    path = f"/mailboxes/{made['id']}"
    uid = await anna.upload(MESSAGE, made["id"])
    renamed = await anna.call("PATCH", path, json={"name": "Old/Files", "subscribed": False})
    assert (renamed["id"], renamed["uidvalidity"]) == (made["id"], made["uidvalidity"])
    assert (renamed["name"], renamed["subscribed"]) == ("Old/Files", False)
    assert await anna.uids(made["id"]) == [uid]
    assert (await anna.call("PATCH", path, json={"subscribed": True}))["subscribed"] is True
    await anna.call("DELETE", path, 204)
    for method in ("GET", "DELETE"):
        await anna.call(method, path, 404)
    await anna.call("PATCH", path, 404, json={"name": "x"})
    await anna.call("GET", f"{path}/messages", 404)


async def test_a_second_mailbox_of_a_purpose_or_name_is_refused(anna: MailApi) -> None:
    await anna.call("POST", "/mailboxes", 409, json={"name": "Sent 2", "special_use": "\\Sent"})
    await anna.call("POST", "/mailboxes", 409, json={"name": "inbox"})
    inbox = await anna.inbox()
    await anna.call("DELETE", f"/mailboxes/{inbox}", 422)


@pytest.mark.parametrize("name", ["", "a//b", "/a", "x\ny", "a*", "50%", "é" * 501, "/".join("abcdefgh" * 5)])
async def test_impossible_names_are_refused(anna: MailApi, name: str) -> None:
    before = await anna.call("GET", "/mailboxes")
    await anna.call("POST", "/mailboxes", 422, json={"name": name})
    await anna.call("PATCH", f"/mailboxes/{await anna.inbox()}", 422, json={"name": name})
    assert await anna.call("GET", "/mailboxes") == before


async def test_empty_is_bounded_and_says_what_is_left(anna: MailApi) -> None:
    for _ in range(5):
        await anna.upload(MESSAGE)
    inbox = await anna.inbox()
    where = f"/mailboxes/{inbox}/empty"
    assert await anna.call("POST", where, params={"limit": 3}) == {"removed": 3, "left": 2}
    assert await anna.uids() == [5, 4]
    assert await anna.call("POST", where) == {"removed": 2, "left": 0}
    await anna.call("POST", where, 422, params={"limit": 10_001})
    assert (await anna.mailbox())["uidnext"] == 6


ROUTES = [
    ("GET", "/mailboxes"),
    ("GET", "/mailboxes/{box}"),
    ("GET", "/mailboxes/{box}/messages"),
    ("GET", "/mailboxes/{box}/messages/1"),
    ("GET", "/mailboxes/{box}/messages/1/raw"),
    ("GET", "/mailboxes/{box}/messages/1/parts/1"),
    ("POST", "/mailboxes"),
    ("POST", "/mailboxes/{box}/empty"),
    ("PATCH", "/mailboxes/{box}"),
    ("PATCH", "/mailboxes/{box}/messages"),
    ("PATCH", "/mailboxes/{box}/messages/1"),
    ("POST", "/mailboxes/{box}/messages"),
    ("POST", "/mailboxes/{box}/messages/copy"),
    ("POST", "/mailboxes/{box}/messages/move"),
    ("POST", "/mailboxes/{box}/messages/delete"),
    ("DELETE", "/mailboxes/{box}/messages/1"),
    ("DELETE", "/mailboxes/{box}"),
    ("POST", "/send"),
    ("POST", "/send/raw"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_mail_of_others_is_for_nobody_but_super_admins(
    both: tuple[MailApi, MailApi], method: str, path: str
) -> None:
    anna, ben = both
    await ben.upload(MESSAGE)
    api = anna.api
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN, password=None)
    tokens = {
        404: await api.token("anna 2", Role.USER, account=ANNA),
        403: await api.token("admin", Role.DOMAIN_ADMIN, account="admin@example.org"),
    }
    url = ben.base + path.format(box=await ben.inbox())
    for status, token in tokens.items():
        async with api.connect(token) as client:
            answer = await client.request(method, url, headers=RAW if path.endswith("raw") else {}, json={})
        assert answer.status_code == status, answer.text
    service = await api.token("service", Role.DOMAIN_ADMIN, domains=("example.org",))
    narrow = await api.token("narrow", scopes=("accounts:write", "queue:write"))
    read = await api.token("reader", scopes=("mail:read",))
    for token in (service, narrow, *([] if method == "GET" else [read])):
        async with api.connect(token) as client:
            assert (await client.request(method, url, json={})).status_code == 403
    assert (await ben.messages())[0]["subject"] == "hello"


async def test_a_super_admin_reads_mail_of_others_and_that_is_written_down(both: tuple[MailApi, MailApi]) -> None:
    anna, ben = both
    uid = await ben.upload(MESSAGE)
    where = f"{ben.base}/mailboxes/{await ben.inbox()}/messages"
    async with anna.api.connect(await anna.api.token("reader", scopes=("mail:read",))) as reader:
        assert (await reader.get(f"{where}/{uid}")).status_code == 200
        assert (await reader.request("PATCH", f"{where}/{uid}", json={"add": ["\\Seen"]})).status_code == 403
    async with await anna.api.admin() as root:
        assert (await root.request("PATCH", f"{where}/{uid}", json={"add": ["\\Seen"]})).status_code == 200
    entries = [entry for entry in await anna.api.audit() if entry["action"].startswith("mail.")]
    assert [(entry["actor"], entry["action"], entry["target"]) for entry in entries] == [
        ("token reader", "mail.read", BEN),
        ("token root", "mail.write", BEN),
    ]
    assert entries[0]["after"] == {"method": "GET", "path": f"{where}/{uid}"}
    await ben.messages()
    assert len([entry for entry in await anna.api.audit() if entry["action"].startswith("mail.")]) == 2
