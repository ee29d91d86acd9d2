"""Passwords, second factor, app passwords and sessions through the API, and what IMAP and SMTP make of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
import httpx
import pyotp
import pytest

from mailraven.adminapi.authentication import COOKIE, CSRF_HEADER
from mailraven.adminapi.health import HealthMonitor
from mailraven.adminapi.ops import OpsApp
from mailraven.app.roles import Role as ServerRole
from mailraven.app.servers import make_servers
from mailraven.directory.roles import Role
from mailraven.imapd import ImapServer
from mailraven.telemetry.multiprocess import exposition
from mailraven.testing import imap_dialogue, smtp_dialogue
from mailraven.testing.admin_api import PASSWORD, AdminApi, running_admin_api

ANNA, BOSS, ROOT = "anna@example.org", "boss@example.org", "root@example.net"
NEW = "seven lemon bicycles"
ROUND = 0.05  # seconds between two looks at the accounts of open IMAP sessions


@dataclass
class Site:
    """The API and the mail servers of one process."""

    api: AdminApi
    imap_port: int
    smtp_port: int
    root: httpx.AsyncClient
    """A service with all rights."""
    stack: AsyncExitStack
    """Closes all clients."""

    async def browser(self, address: str, password: str = PASSWORD, **code: str) -> httpx.AsyncClient:
        """A browser session."""
        client = await self.stack.enter_async_context(self.api.connect(https=True))
        answer = await client.post("/api/v1/session", json={"address": address, "password": password, **code})
        assert answer.status_code == 201, answer.text
        client.headers[CSRF_HEADER] = answer.json()["csrf_token"]
        return client

    async def imap(self, password: str, login: str = ANNA) -> imap_dialogue.Dialogue | None:
        """A session that has logged in; None: it was refused."""
        client = await imap_dialogue.Dialogue.connect("127.0.0.1", self.imap_port)
        self.stack.push_async_callback(client.close)
        answer = await client.command(f'LOGIN "{login}" "{password}"')
        if answer.status == "OK":
            return client
        assert (answer.status, answer.code) == ("NO", "AUTHENTICATIONFAILED")
        return None

    async def smtp(self, password: str, login: str = ANNA) -> smtp_dialogue.Dialogue | None:
        """A session that has logged in; None: it was refused."""
        client = await smtp_dialogue.Dialogue.connect("127.0.0.1", self.smtp_port)
        self.stack.push_async_callback(client.close)
        await client.ehlo()
        answer = await client.login(login, password)
        if answer.code == 235:
            return client
        assert answer.codes == "535 5.7.8"
        return None

    async def app_password(self, client: httpx.AsyncClient, name: str = "phone", **options: Any) -> tuple[int, str]:
        """Id and secret."""
        answer = await client.post(f"/api/v1/accounts/{ANNA}/app-passwords", json={"name": name, **options})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["password"]

    async def enrol(self, client: httpx.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
        """A second factor and its recovery codes; the code of two minutes ago was the one that confirmed it."""
        begun = await client.post("/api/v1/me/totp", json={"password": PASSWORD})
        assert begun.status_code == 200, begun.text
        totp = pyotp.TOTP(begun.json()["secret"])
        confirmed = await client.post("/api/v1/me/totp/confirm", json={"code": totp.now()})
        assert confirmed.status_code == 200, confirmed.text
        async with self.api.services.database.acquire() as connection:
            await connection.execute("UPDATE account SET totp_last_step = totp_last_step - 4 WHERE totp_last_step > 0")
        return totp, confirmed.json()["codes"]

    async def enforce(self) -> None:
        """example.org demands a second factor."""
        body = {"auth": {"totp_enforced": True}}
        answer = await self.root.put("/api/v1/domains/example.org/security", json=body)
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def site(dsn: str, tmp_path: Path) -> AsyncIterator[Site]:
    """anna, a domain-admin of the same domain, a super-admin of another."""
    settings = {
        "imap": {"allow_plaintext_login_from_loopback": True},
        "smtp": {"allow_plaintext_login_from_loopback": True},
    }
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running_admin_api(dsn, tmp_path, config=settings))
        nouns, config = api.nouns, api.services.config
        nouns.directory._passwords._hasher = argon2.PasswordHasher.from_parameters(argon2.profiles.CHEAPEST)
        ops = OpsApp(HealthMonitor(config.health), exposition())
        ports = {}
        for role, server in make_servers([ServerRole.IMAP, ServerRole.SUBMISSION], config, nouns, None, ops):
            if isinstance(server, ImapServer):
                server.limits = replace(server.limits, accounts_interval=ROUND, login_delay=(0.0, 0.0))
            listening = socket.create_server(("127.0.0.1", 0))
            listening.setblocking(False)
            await server.start([("test", listening, "none")])
            stack.push_async_callback(server.drain, 5)
            ports[role] = listening.getsockname()[1]
        await api.account(ANNA)
        await api.account(BOSS, role=Role.DOMAIN_ADMIN)
        await api.account(ROOT, role=Role.SUPER_ADMIN)
        root = await stack.enter_async_context(await api.admin())
        yield Site(api, ports[ServerRole.IMAP], ports[ServerRole.SUBMISSION], root, stack)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Within 10 s."""
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.02)


async def test_the_web_asks_for_the_second_factor(site: Site) -> None:
    totp, codes = await site.enrol(await site.browser(ANNA))
    login = {"address": ANNA, "password": PASSWORD}
    async with site.api.connect(https=True) as client:

        async def status(**more: str) -> int:
            return (await client.post("/api/v1/session", json=login | more)).status_code

        asked = await client.post("/api/v1/session", json=login)
        assert (asked.status_code, asked.json()["second_factor"]) == (401, True)
        wrong = await client.post("/api/v1/session", json=login | {"password": "wrong"})
        assert (wrong.status_code, "second_factor" in wrong.json()) == (401, False)
        code = totp.now()
        assert await status(code=code, password="wrong") == 401
        assert await status(code=code) == 201
        assert await status(code=code) == 401
        assert await status(code=codes[0]) == 201
        assert await status(code=codes[0]) == 401


async def test_who_am_i(site: Site) -> None:
    anna = (await (await site.browser(ANNA)).get("/api/v1/me")).json()
    assert anna == {
        "actor": ANNA,
        "role": "user",
        "address": ANNA,
        "display_name": "",
        "domains": [],
        "scopes": ["*"],
        "quota_bytes": None,
        "used_bytes": 0,
        "totp": False,
        "must_enrol": False,
        "recovery_codes": 0,
    }
    boss = (await (await site.browser(BOSS)).get("/api/v1/me")).json()
    assert (boss["role"], boss["domains"]) == ("domain-admin", ["example.org"])
    service = (await site.root.get("/api/v1/me")).json()
    assert (service["actor"], service["role"], service["address"]) == ("token root", "super-admin", None)
    assert (await site.api.client.get("/api/v1/me")).status_code == 401


async def test_a_new_password_ends_what_the_old_one_opened(site: Site) -> None:
    browser, other = await site.browser(ANNA), await site.browser(ANNA)
    imap, idle, smtp = await site.imap(PASSWORD), await site.imap(PASSWORD), await site.smtp(PASSWORD)
    assert imap is not None
    assert idle is not None
    assert smtp is not None
    await idle.ok("SELECT INBOX")
    await idle.idle()
    await smtp.expect(f"MAIL FROM:<{ANNA}>", "250")
    await smtp.expect("RSET", "250")
    answer = await browser.put("/api/v1/me/password", json={"old_password": PASSWORD, "new_password": NEW})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await imap.closed()).startswith(b"* BYE")
    assert b"* BYE" in await idle.closed()
    await smtp.expect(f"MAIL FROM:<{ANNA}>", "421 4.7.0")
    assert await smtp.closed() == b""
    for session in (browser, other):
        assert (await session.get("/api/v1/me")).status_code == 401
    assert await site.imap(PASSWORD) is None
    assert await site.smtp(PASSWORD) is None
    assert await site.imap(NEW) is not None
    assert await site.smtp(NEW) is not None


async def test_sessions_end_also_when_no_notification_comes(site: Site) -> None:
    imap = await site.imap(PASSWORD)
    assert imap is not None
    async with site.api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET credential_version = credential_version + 1")
    assert (await imap.closed()).startswith(b"* BYE")


async def test_sessions_of_others_go_on(site: Site) -> None:
    boss = await site.imap(PASSWORD, BOSS)
    anna = await site.imap(PASSWORD)
    assert boss is not None
    assert anna is not None
    await site.root.put(f"/api/v1/accounts/{ANNA}/password", json={"password": NEW})
    assert (await anna.closed()).startswith(b"* BYE")
    await boss.ok("NOOP")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"old_password": "wrong", "new_password": NEW}, 403),
        ({"old_password": PASSWORD, "new_password": PASSWORD}, 422),
        ({"old_password": PASSWORD, "new_password": "short"}, 422),
        ({"old_password": PASSWORD, "new_password": "password1"}, 422),
        ({"old_password": PASSWORD, "new_password": "anna.example.org"}, 422),
        ({"old_password": PASSWORD, "new_password": "x" * 1025}, 422),
        ({"old_password": PASSWORD, "new_password": "tab\tlemon bicycles"}, 422),
        ({"old_password": PASSWORD, "new_password": ""}, 422),
        ({"old_password": PASSWORD}, 422),
        ({"new_password": NEW}, 422),
        ({"old_password": PASSWORD, "new_password": 7}, 422),
        ({"old_password": PASSWORD, "new_password": NEW, "more": 1}, 422),
    ],
)
async def test_passwords_that_are_refused_change_nothing(site: Site, body: dict[str, Any], status: int) -> None:
    browser = await site.browser(ANNA)
    answer = await browser.put("/api/v1/me/password", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    for secret in body.values():
        assert not isinstance(secret, str) or len(secret) < 6 or secret not in answer.text
    assert (await browser.get("/api/v1/me")).status_code == 200
    assert await site.imap(PASSWORD) is not None


async def test_guessing_the_old_password_is_slowed_down(site: Site) -> None:
    await site.api.setting("limits", exempt_networks=("192.0.2.0/24",))
    browser = await site.browser(ANNA)
    body = {"old_password": "wrong", "new_password": NEW}
    statuses = [(await browser.put("/api/v1/me/password", json=body)).status_code for _ in range(7)]
    assert statuses[0] == 403
    assert statuses[-1] in (403, 429)
    assert 429 in statuses


async def test_the_policy_of_admins_is_stricter(site: Site) -> None:
    await site.api.setting("passwords", min_length=8, admin_min_length=24)
    body = {"password": NEW}
    assert (await site.root.put(f"/api/v1/accounts/{ANNA}/password", json=body)).status_code == 204
    refused = await site.root.put(f"/api/v1/accounts/{BOSS}/password", json=body)
    assert refused.status_code == 422
    assert "24" in refused.json()["detail"]


async def test_a_hash_from_elsewhere_is_for_super_admins(site: Site) -> None:
    made = argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash(NEW)
    path = f"/api/v1/accounts/{ANNA}/password"
    boss = await site.browser(BOSS)
    assert (await boss.put(path, json={"password_hash": made})).status_code == 403
    assert (await site.root.put(path, json={"password_hash": "$2b$12$no"})).status_code == 422
    for wrong in ({}, {"password": NEW, "password_hash": made}):
        assert (await site.root.put(path, json=wrong)).status_code == 422
    assert await site.imap(PASSWORD) is not None
    assert (await site.root.put(path, json={"password_hash": made})).status_code == 204
    assert await site.imap(PASSWORD) is None
    assert await site.imap(NEW) is not None


async def test_an_admin_sets_passwords_of_others_and_his_own_like_everybody(site: Site) -> None:
    boss, root, anna = await site.browser(BOSS), await site.browser(ROOT), await site.browser(ANNA)
    own = [(boss, BOSS), (root, ROOT), (anna, ANNA)]
    for client, address in own:
        assert (await client.put(f"/api/v1/accounts/{address}/password", json={"password": NEW})).status_code == 403
        assert (await client.delete(f"/api/v1/accounts/{address}/totp")).status_code == 403
    assert (await anna.put(f"/api/v1/accounts/{BOSS}/password", json={"password": NEW})).status_code == 404
    assert (await boss.put(f"/api/v1/accounts/{ROOT}/password", json={"password": NEW})).status_code == 404
    assert (await boss.put("/api/v1/accounts/nobody@example.org/password", json={"password": NEW})).status_code == 404
    assert (await boss.put(f"/api/v1/accounts/{ANNA}/password", json={"password": NEW})).status_code == 204
    assert (await root.put(f"/api/v1/accounts/{BOSS}/password", json={"password": NEW})).status_code == 204
    assert (await boss.get("/api/v1/me")).status_code == 401
    service = site.api.connect(await site.api.token("worker", Role.USER, account=ANNA))
    assert (await service.put(f"/api/v1/accounts/{ANNA}/password", json={"password": PASSWORD})).status_code == 403


async def test_an_admin_of_further_domains_is_changed_only_by_who_has_those_too(site: Site) -> None:
    wide = "wide@example.org"
    await site.api.account(wide, role=Role.DOMAIN_ADMIN, domains=("example.com",))
    boss, path = await site.browser(BOSS), f"/api/v1/accounts/{wide}"
    body = {"password": NEW}
    asked = [
        ("PUT", f"{path}/password", body),
        ("PUT", path, body),
        ("PATCH", path, body),
        ("PUT", f"/api/users/{wide}", body),
        ("DELETE", f"{path}/totp", None),
        ("POST", f"{path}/app-passwords", {"name": "phone"}),
        ("PUT", f"{path}/forwarding", {"targets": [BOSS]}),
        ("DELETE", path, None),
    ]
    for method, url, json in asked:
        assert (await boss.request(method, url, json=json)).status_code == 403, (method, url)
    assert (await site.browser(wide)).cookies[COOKIE]
    assert (await boss.get(path)).status_code == 200
    both = await site.browser(wide)
    assert (await both.patch(path, json={"display_name": "W"})).status_code == 200
    assert (await both.put(f"/api/v1/accounts/{BOSS}/password", json=body)).status_code == 204


async def test_where_a_second_factor_is_demanded_mail_takes_app_passwords_only(site: Site) -> None:
    imap, smtp = await site.imap(PASSWORD), await site.smtp(PASSWORD)
    assert imap is not None
    assert smtp is not None
    browser = await site.browser(ANNA)
    _, secret = await site.app_password(browser)
    await site.enforce()
    assert (await imap.closed()).startswith(b"* BYE")
    await smtp.expect(f"MAIL FROM:<{ANNA}>", "421")
    assert await site.imap(PASSWORD) is None
    assert await site.smtp(PASSWORD) is None
    for form in (secret, secret.upper().replace("-", "")):
        imap, smtp = await site.imap(form), await site.smtp(form)
        assert imap is not None
        assert smtp is not None
        await imap.ok("SELECT INBOX")
        assert (await smtp.message(ANNA, [BOSS], b"Subject: x\r\n\r\ny\r\n")).code == 250
    # The web asks for the enrolment and for nothing else until then.
    me = (await browser.get("/api/v1/me")).json()
    assert me["must_enrol"] is True
    assert (await browser.get(f"/api/v1/accounts/{ANNA}/app-passwords")).status_code == 403
    assert (await browser.put("/api/v1/me/password", json={})).status_code == 403
    _, codes = await site.enrol(browser)
    assert (await browser.get("/api/v1/me")).status_code == 401
    me = (await (await site.browser(ANNA, code=codes[0])).get("/api/v1/me")).json()
    assert (me["totp"], me["must_enrol"], me["recovery_codes"]) == (True, False, 9)
    assert await site.imap(PASSWORD) is None
    assert await site.imap(secret) is not None


async def test_enrolment_and_removal(site: Site) -> None:
    browser = await site.browser(ANNA)
    assert (await browser.post("/api/v1/me/totp", json={"password": "wrong"})).status_code == 403
    assert (await browser.post("/api/v1/me/totp/confirm", json={"code": "000000"})).status_code == 409
    begun = (await browser.post("/api/v1/me/totp", json={"password": PASSWORD})).json()
    assert begun["uri"].startswith("otpauth://totp/mail.example.test:anna")
    assert begun["secret"] in begun["uri"]
    assert (await browser.post("/api/v1/me/totp/confirm", json={"code": "12345"})).status_code == 422
    assert (await browser.get("/api/v1/me")).json()["totp"] is False
    totp, codes = await site.enrol(browser)
    assert len(codes) == 10
    browser = await site.browser(ANNA, code=codes[0])
    assert (await browser.post("/api/v1/me/totp", json={"password": PASSWORD})).status_code == 409
    code = totp.now()
    wrong = str((int(code) + 500_000) % 1_000_000).zfill(6)
    for body in ({"password": "wrong", "code": code}, {"password": PASSWORD, "code": wrong}):
        assert (await browser.post("/api/v1/me/totp/disable", json=body)).status_code == 403
    # The code was not used up by the attempt with a wrong password.
    renewed = await browser.post("/api/v1/me/recovery-codes", json={"password": PASSWORD, "code": code})
    assert renewed.status_code == 200
    assert not set(renewed.json()["codes"]) & set(codes)
    replayed = {"password": PASSWORD, "code": code}
    assert (await browser.post("/api/v1/me/totp/disable", json=replayed)).status_code == 403
    removal = {"password": PASSWORD, "code": renewed.json()["codes"][3].upper()}
    assert (await browser.post("/api/v1/me/totp/disable", json=removal)).status_code == 204
    assert (await browser.get("/api/v1/me")).status_code == 401
    assert await site.imap(PASSWORD) is not None
    browser = await site.browser(ANNA)
    assert (await browser.post("/api/v1/me/totp/disable", json=removal)).status_code == 409


async def test_of_two_that_use_one_recovery_code_at_once_one_wins(site: Site) -> None:
    _, codes = await site.enrol(await site.browser(ANNA))
    body = {"password": PASSWORD, "code": codes[0]}
    browsers = [await site.browser(ANNA, code=codes[number]) for number in range(1, 7)]
    answers = await asyncio.gather(*(one.post("/api/v1/me/recovery-codes", json=body) for one in browsers))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403, 403]


async def test_an_admin_resets_a_lost_second_factor(site: Site) -> None:
    browser = await site.browser(ANNA)
    totp, codes = await site.enrol(browser)
    boss = await site.browser(BOSS)
    open_session_of_anna = await site.browser(ANNA, code=codes[0])
    assert (await boss.delete(f"/api/v1/accounts/{ANNA}/totp")).status_code == 204
    assert (await boss.delete(f"/api/v1/accounts/{ANNA}/totp")).status_code == 204  # once more changes nothing
    assert (await open_session_of_anna.get("/api/v1/me")).status_code == 401
    assert await site.imap(PASSWORD) is not None
    assert totp.secret not in str(await site.api.audit())
    reset = [entry for entry in await site.api.audit() if entry["action"] == "account.totp.reset"]
    assert [(entry["actor"], entry["target"]) for entry in reset] == [(BOSS, ANNA)]


async def test_app_passwords(site: Site) -> None:
    browser, boss, path = await site.browser(ANNA), await site.browser(BOSS), f"/api/v1/accounts/{ANNA}/app-passwords"
    number, secret = await site.app_password(browser, "phone", protocols=["imap"])
    assert (await browser.post(path, json={"name": "phone"})).status_code == 409
    assert await site.imap(secret) is not None
    assert await site.smtp(secret) is None

    async def used() -> bool:
        return (await boss.get(path)).json()["items"][0]["last_used_at"] is not None

    await eventually(used)
    listed = (await boss.get(path)).json()
    assert listed["next"] is None
    assert [(one["id"], one["name"], one["protocols"]) for one in listed["items"]] == [(number, "phone", ["imap"])]
    assert secret not in str(listed)
    imap = await site.imap(secret)
    own = await site.imap(PASSWORD)
    assert imap is not None
    assert own is not None
    assert (await browser.delete(f"{path}/{number}")).status_code == 204
    assert (await browser.delete(f"{path}/{number}")).status_code == 404
    assert (await imap.closed()).startswith(b"* BYE")
    await own.ok("NOOP")
    assert await site.imap(secret) is None


async def test_app_passwords_of_all_accounts_are_listed_to_their_admins(site: Site) -> None:
    async def listed(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
        answer = await client.get("/api/v1/app-passwords", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for address, name in ((ANNA, "phone"), (ROOT, "tv"), (ANNA, "tablet")):
        where = f"/api/v1/accounts/{address}/app-passwords"
        assert (await site.root.post(where, json={"name": name})).status_code == 201
    first = await listed(site.root, limit=2)
    rest = await listed(site.root, limit=2, cursor=first["next"])
    found = [(one["address"], one["name"]) for one in first["items"] + rest["items"]]
    assert found == [(ANNA, "phone"), (ROOT, "tv"), (ANNA, "tablet")]
    assert rest["next"] is None
    assert "password" not in first["items"][0]
    boss = await site.browser(BOSS)
    assert [one["name"] for one in (await listed(boss))["items"]] == ["phone", "tablet"]
    anna = await site.browser(ANNA)
    assert (await anna.get("/api/v1/app-passwords")).status_code == 403


async def test_an_app_password_expires_with_its_sessions(site: Site) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=1.5)
    _, secret = await site.app_password(site.root, expires_at=expires.isoformat())
    imap = await site.imap(secret)
    assert imap is not None
    assert (await imap.closed()).startswith(b"* BYE")
    assert datetime.now(UTC) >= expires
    assert await site.imap(secret) is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "two\nlines"},
        {"name": "x", "protocols": []},
        {"name": "x", "protocols": ["http"]},
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "2099-01-01T00:00:00"},
        {"name": "x", "expires_at": "soon"},
        {"name": "x", "expires_at": "9999-12-31T23:59:59-14:00"},
        {"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "expires_at": 1e300},
        {"name": "x", "password": "mine"},
    ],
)
async def test_app_passwords_that_cannot_be_made(site: Site, body: dict[str, Any]) -> None:
    path = f"/api/v1/accounts/{ANNA}/app-passwords"
    answer = await site.root.post(path, json=body)
    assert answer.status_code == 422
    assert (await site.root.get(path)).json()["items"] == []


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "x", "1.5"])
async def test_what_is_no_number_of_an_app_password(site: Site, number: str) -> None:
    answer = await site.root.delete(f"/api/v1/accounts/{ANNA}/app-passwords/{number}")
    assert answer.status_code in (404, 422)


async def test_a_disabled_protocol_ends_its_sessions_and_no_others(site: Site) -> None:
    imap, smtp = await site.imap(PASSWORD), await site.smtp(PASSWORD)
    assert imap is not None
    assert smtp is not None
    path = f"/api/v1/accounts/{ANNA}"
    assert (await site.root.patch(path, json={"disabled": ["smtp"]})).status_code == 200
    await smtp.expect(f"MAIL FROM:<{ANNA}>", "421 4.7.0")
    assert await site.smtp(PASSWORD) is None
    imap = await site.imap(PASSWORD)
    assert imap is not None
    assert (await site.root.patch(path, json={"disabled": ["imap"]})).status_code == 200
    assert (await imap.closed()).startswith(b"* BYE")
    assert await site.imap(PASSWORD) is None
    assert await site.smtp(PASSWORD) is not None


async def test_all_sessions_of_an_account_end(site: Site) -> None:
    first, second, boss = await site.browser(ANNA), await site.browser(ANNA), await site.browser(BOSS)
    imap, smtp = await site.imap(PASSWORD), await site.smtp(PASSWORD)
    assert imap is not None
    assert smtp is not None
    path = f"/api/v1/accounts/{ANNA}/sessions"
    listed = (await first.get(path)).json()
    assert len(listed["items"]) == 2
    assert (await boss.get(path)).json() == listed
    assert first.cookies[COOKIE] not in str(listed)
    assert (await second.delete(path)).status_code == 204
    for session in (first, second):
        assert (await session.get("/api/v1/me")).status_code == 401
    assert (await imap.closed()).startswith(b"* BYE")
    await smtp.expect(f"MAIL FROM:<{ANNA}>", "421 4.7.0")
    assert (await boss.get(path)).json()["items"] == []
    assert await site.imap(PASSWORD) is not None


async def test_after_a_break_in_app_passwords_go_too(site: Site) -> None:
    _, secret = await site.app_password(site.root)
    path = f"/api/v1/accounts/{ANNA}/password"
    assert (await site.root.put(path, json={"password": NEW})).status_code == 204
    assert await site.imap(secret) is not None
    assert (await site.root.put(path, json={"password": PASSWORD, "delete_app_passwords": True})).status_code == 204
    assert await site.imap(secret) is None


async def test_a_service_has_no_credentials_of_its_own(site: Site) -> None:
    for method, path, body in [
        ("PUT", "password", {"old_password": PASSWORD, "new_password": NEW}),
        ("POST", "totp", {"password": PASSWORD}),
        ("POST", "totp/confirm", {"code": "123456"}),
        ("POST", "totp/disable", {"password": PASSWORD, "code": "123456"}),
        ("POST", "recovery-codes", {"password": PASSWORD, "code": "123456"}),
    ]:
        assert (await site.root.request(method, f"/api/v1/me/{path}", json=body)).status_code == 403


async def test_a_token_that_may_only_read_changes_no_credentials(site: Site) -> None:
    reader = site.api.connect(await site.api.token("reader", Role.USER, scopes=("read",), account=ANNA))
    assert (await reader.get("/api/v1/me")).status_code == 200
    assert (await reader.get(f"/api/v1/accounts/{ANNA}/app-passwords")).status_code == 200
    answer = await reader.post(f"/api/v1/accounts/{ANNA}/app-passwords", json={"name": "x"})
    assert answer.status_code == 403
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert (await reader.put("/api/v1/me/password", json=body)).status_code == 403


async def test_everything_is_in_the_audit_log_and_no_secret_is(site: Site) -> None:
    browser = await site.browser(ANNA)
    number, secret = await site.app_password(browser)
    await browser.delete(f"/api/v1/accounts/{ANNA}/app-passwords/{number}")
    totp, codes = await site.enrol(browser)
    browser = await site.browser(ANNA, code=codes[9])
    await browser.put("/api/v1/me/password", json={"old_password": PASSWORD, "new_password": NEW})
    await site.root.delete(f"/api/v1/accounts/{ANNA}/sessions")
    log = await site.api.audit()
    assert [(entry["action"], entry["actor"]) for entry in log if entry["target"] == ANNA] == [
        ("session.login", ANNA),
        ("app_password.create", ANNA),
        ("app_password.delete", ANNA),
        ("account.totp.begin", ANNA),
        ("account.totp.confirm", ANNA),
        ("session.login", ANNA),
        ("account.password", ANNA),
        ("account.sessions.end", "token root"),
    ]
    for word in (secret, totp.secret, codes[0], PASSWORD, NEW, "argon2"):
        assert word not in str(log)


async def test_a_change_by_who_lost_the_race_is_refused(site: Site) -> None:
    browsers = [await site.browser(ANNA) for _ in range(4)]
    bodies = [{"old_password": PASSWORD, "new_password": f"{word} lemon bicycles"} for word in ("a", "b", "c", "d")]
    answers = await asyncio.gather(
        *(one.put("/api/v1/me/password", json=body) for one, body in zip(browsers, bodies, strict=True))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 403, 412}


async def test_without_a_master_key_there_is_no_second_factor(dsn: str, tmp_path: Path) -> None:
    async with running_admin_api(dsn, tmp_path, config={"secrets": {}}) as api:
        await api.account(ANNA)
        anna = api.connect(await api.token("anna", Role.USER, account=ANNA))
        answer = await anna.post("/api/v1/me/totp", json={"password": PASSWORD})
        assert answer.status_code == 409
        assert "secrets.key_file" in answer.json()["detail"]
        assert (await anna.get("/api/v1/me")).json()["totp"] is False


async def test_a_token_without_the_mailbox_makes_no_key_to_it(dsn: str, tmp_path: Path) -> None:
    async with running_admin_api(dsn, tmp_path) as api:
        await _ask_for_app_passwords(api)


async def _ask_for_app_passwords(api: AdminApi) -> None:
    await api.account("ann@example.test")
    for scopes, status in ((("accounts:write",), 403), (("accounts:write", "mail:write"), 201)):
        token = await api.token(f"t{len(scopes)}", Role.USER, scopes=scopes, account="ann@example.test")
        async with api.connect(token) as client:
            made = await client.post("/api/v1/accounts/ann@example.test/app-passwords", json={"name": "phone"})
        assert made.status_code == status, made.text
