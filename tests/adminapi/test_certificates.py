"""Certificates through the API: uploads, refusals, versions, the audit log, and that no key ever comes out."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi, running_admin_api
from mailraven.testing.authority import Authority, Issued

WHERE = "/api/v1/certificates"


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """With a master key."""
    async with running_admin_api(dsn, tmp_path) as running:
        yield running


@pytest.fixture
async def root(api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """A super-admin."""
    async with await api.admin() as client:
        yield client


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def upload(issued: Issued) -> dict[str, str]:
    return {"chain": issued.chain, "private_key": issued.private_key}


def secret_lines(issued: Issued) -> list[str]:
    return issued.private_key.splitlines()[1:-1]


async def test_upload_show_list_replace_delete(root: httpx.AsyncClient, api: AdminApi, authority: Authority) -> None:
    first, second = authority.issue("a.test", "b.test"), authority.issue("a.test")
    answers = [await root.put(f"{WHERE}/main", json=upload(first))]
    assert answers[0].status_code == 201
    document = answers[0].json()
    assert (document["names"], document["days_left"], document["warnings"]) == (["a.test", "b.test"], 89, [])
    assert document["chain"] == first.chain
    answers.append(await root.put(f"{WHERE}/main", json=upload(first)))
    assert (answers[1].status_code, answers[1].headers["etag"]) == (200, '"1"')
    answers.append(await root.put(f"{WHERE}/main", json=upload(second), headers={"If-Match": '"7"'}))
    assert answers[2].status_code == 412
    answers.append(await root.put(f"{WHERE}/main", json=upload(second), headers={"If-Match": '"1"'}))
    assert (answers[3].status_code, answers[3].headers["etag"]) == (200, '"2"')
    assert answers[3].json()["warnings"] == ["The certificate before was also valid for b.test."]
    answers.append(await root.get(f"{WHERE}/main"))
    assert answers[4].json()["serial"] == second.serial
    await root.put(f"{WHERE}/other", json=upload(first))
    page = (await root.get(WHERE, params={"limit": 1})).json()
    assert ([item["name"] for item in page["items"]], "chain" in page["items"][0]) == (["main"], False)
    page = (await root.get(WHERE, params={"limit": 1, "cursor": page["next"]})).json()
    assert ([item["name"] for item in page["items"]], page["next"]) == (["other"], None)
    assert (await root.delete(f"{WHERE}/main", headers={"If-Match": '"1"'})).status_code == 412
    assert (await root.delete(f"{WHERE}/main")).status_code == 204
    assert (await root.delete(f"{WHERE}/main")).status_code == 404
    assert (await root.get(f"{WHERE}/main")).status_code == 404
    for issued in (first, second):
        assert not any(line in answer.text for answer in answers for line in secret_lines(issued))
    audit = [(row["action"], row["target"]) for row in await api.audit() if row["action"].startswith("certificate")]
    assert audit == [
        ("certificate.create", "main"),
        ("certificate.update", "main"),
        ("certificate.create", "other"),
        ("certificate.delete", "main"),
    ]
    logged = str(await api.audit())
    assert not any(line in logged for line in secret_lines(second))


async def test_a_refused_upload_leaves_the_old_one(root: httpx.AsyncClient, authority: Authority) -> None:
    good, other = authority.issue("a.test"), authority.issue("a.test")
    await root.put(f"{WHERE}/main", json=upload(good))
    now = dt.datetime.now(dt.UTC)
    old = authority.issue("a.test", not_before=now - dt.timedelta(days=9), not_after=now - dt.timedelta(days=1))
    refused: list[tuple[dict[str, Any], str]] = [
        ({"chain": other.chain, "private_key": good.private_key}, "does not belong to the first certificate"),
        (upload(old), "expired on"),
        ({"chain": "hello", "private_key": "hello"}, "expected certificates in PEM"),
        ({"chain": "x" * 65537, "private_key": "x"}, "/chain"),
        ({"chain": good.chain, "private_key": "x" * 16385}, "/private_key"),
        ({"chain": good.chain}, "/private_key"),
        ({**upload(good), "extra": 1}, "/extra"),
    ]
    for body, text in refused:
        answer = await root.put(f"{WHERE}/main", json=body)
        assert answer.status_code == 422, answer.text
        assert text in answer.json()["detail"]
        assert not any(line in answer.text for line in secret_lines(good))
    shown = await root.get(f"{WHERE}/main")
    assert (shown.json()["serial"], shown.headers["etag"]) == (good.serial, '"1"')


@pytest.mark.parametrize("name", ["A", "-a", "a b", "a%00", "%2e%2e", "x" * 254, "é"])
async def test_names_that_are_none(root: httpx.AsyncClient, authority: Authority, name: str) -> None:
    assert (await root.put(f"{WHERE}/{name}", json=upload(authority.issue("a.test")))).status_code in (404, 422)
    assert (await root.get(WHERE)).json()["items"] == []


async def test_only_super_admins(api: AdminApi, authority: Authority) -> None:
    await api.account("admin@example.org", role=Role.DOMAIN_ADMIN)
    async with api.connect(await api.token("admin", Role.DOMAIN_ADMIN, account="admin@example.org")) as admin:
        assert (await admin.get(WHERE)).status_code == 403
        assert (await admin.put(f"{WHERE}/main", json=upload(authority.issue("a.test")))).status_code == 403
    assert (await api.client.get(WHERE)).status_code == 401


async def test_without_a_master_key_it_is_said_what_to_do(dsn: str, tmp_path: Path, authority: Authority) -> None:
    async with running_admin_api(dsn, tmp_path, config={"secrets": {}}) as api, await api.admin() as root:
        answer = await root.put(f"{WHERE}/main", json=upload(authority.issue("a.test")))
        assert answer.status_code == 409
        assert "secrets.key_file" in answer.json()["detail"]
        assert (await root.get(WHERE)).json() == {"items": [], "next": None}
