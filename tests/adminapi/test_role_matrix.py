"""Every route, called by everybody: what comes out follows from who may call it, and from nothing else."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from mailraven.adminapi import openapi
from mailraven.adminapi.access import _NOT_FOUND, Allow, Who
from mailraven.adminapi.api import make_routes
from mailraven.testing.admin_api import running_admin_api
from mailraven.testing.dns_server import DnsServer
from mailraven.testing.role_world import ANN, CARL, OWN, WRONG_SCOPE, Caller, RoleWorld

UNAUTHENTICATED = {Caller.NOBODY, Caller.BAD, Caller.EXPIRED}
USERS = {Caller.USER, Caller.OTHER_USER}
FOREIGN = {Caller.OTHER_USER, Caller.OTHER_ADMIN}
# What the path names, where it is neither the domain nor the account. Most of it does not exist: 404 from the route
# itself has other words than the 404 of who may not ask.
VALUES = {
    "domain": OWN,
    "address": ANN,
    "name": "test",
    "id": "1",
    "selector": "s1",
    "localpart": "alias",
    "sender": "spam.example",
    "message_id": "1",
    "network": "192.0.2.0",
    "section": "1",
}
# Routes that look closer than at role and scope, after the latter let them through.
FINER = {
    ("put", "/api/v1/accounts/{address}"): {Caller.OTHER_ADMIN: {403, 404}},  # makes accounts: in his domains only
    ("delete", "/api/v1/accounts/{address}"): {Caller.USER: {403}},  # nobody deletes himself
    ("delete", "/api/users/{address}"): {Caller.USER: {403}},
    ("delete", "/api/v1/accounts/{address}/totp"): {Caller.USER: {403}},  # his own way asks for password and code
    ("post", "/api/v1/accounts/{address}/release-sending"): {Caller.USER: {403}},
}
# Called here with `{}` or on what is not there, these succeed and change nothing: nothing is written.
UNCHANGED = {
    "delete /api/v1/accounts/{address}/forwarding",
    "delete /api/v1/accounts/{address}/totp",
    "delete /api/v1/accounts/{address}/vacation",
    "patch /api/v1/accounts/{address}",
    "patch /api/v1/domains/_default",
    "patch /api/v1/domains/{domain}",
    "post /api/v1/domains/{domain}/dkim/rotate",
    "put /api/domains/_default",
    "put /api/domains/_default/security",
    "put /api/domains/{domain}",
    "put /api/domains/{domain}/security",
    "put /api/users/{address}",
    "put /api/v1/accounts/{address}",
    "put /api/v1/accounts/{address}/vacation",
    "put /api/v1/domains/_default",
    "put /api/v1/domains/{domain}",
    "put /api/v1/domains/{domain}/security",
}


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[RoleWorld]:
    async with DnsServer({OWN: "", "example.test": ""}) as zones:
        settings = {"delivery": {"resolver": [zones.endpoint], "dns_timeout": 1}}
        async with running_admin_api(dsn, tmp_path, config=settings) as api:
            made = RoleWorld(api)
            yield made


def expected(allowed: Allow, caller: Caller) -> int | None:
    """The status of who is refused; None: the route itself decides."""
    if allowed.who is Who.PUBLIC:
        return None
    if caller in UNAUTHENTICATED:
        return 401
    if allowed.scope not in ("", WRONG_SCOPE) and caller is Caller.WRONG_SCOPE:
        return 403
    if allowed.scope.endswith(":write") and caller is Caller.READ_ONLY:
        return 403
    if caller in (Caller.SUPER, Caller.READ_ONLY, Caller.WRONG_SCOPE):
        return None
    match allowed.who:
        case Who.SUPER:
            return 403
        case Who.ADMINS:
            return 403 if caller in USERS else None
        case Who.DOMAIN if caller in USERS:
            return 403
        case Who.DOMAIN | Who.ACCOUNT if caller in FOREIGN:
            return 404
        case Who.ACCOUNT if caller is Caller.ADMIN and allowed.scope.startswith("mail:"):
            return 403  # who administers a domain does not read its mail
    return None


def refused(answer: httpx.Response) -> bool:
    """By role or scope, not by the route."""
    return answer.status_code in (401, 403) or (answer.status_code == 404 and answer.json()["detail"] == _NOT_FOUND)


async def call(world: RoleWorld, route: APIRoute, method: str, caller: Caller) -> httpx.Response:
    path = route.path_format
    for name in route.param_convertors:
        value = world.values.get(name) or VALUES[name]
        path = path.replace("{" + name + "}", CARL if path.startswith("/api/v1/admins/") else value)
    headers, content = world.headers(caller), None
    if route.body_field is not None:
        kind = getattr(route.body_field.field_info, "media_type", "application/json")
        headers["Content-Type"], content = kind, b"{}"
    return await world.api.client.request(method, path, headers=headers, content=content)


async def entries(world: RoleWorld) -> int:
    """Of changes in the audit log: they are there when the answer is."""
    async with world.api.services.database.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM audit WHERE action <> 'access'"))


@pytest.mark.timeout(300)
async def test_every_route_for_everybody(world: RoleWorld, capsys: pytest.CaptureFixture[str]) -> None:
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    silent: list[str] = []
    broken = True
    for route, method, allowed in openapi.access_of(world.api.app):
        path = route.path_format
        plain = route.body_field is None and set(route.param_convertors) <= {"domain", "address"}
        for caller in Caller:
            if broken:
                await world.mend()
            before = await entries(world)
            answer = await call(world, route, method, caller)
            want = expected(allowed, caller)
            finer = FINER.get((method, path), {}).get(caller)
            what = f"{method} {path} as {caller.value}: {answer.status_code}"
            if answer.status_code >= 500:
                wrong.append(f"{what} {answer.text}")
            elif want is not None:
                if answer.status_code != want or not refused(answer):
                    wrong.append(f"{what}, not {want}: {answer.text}")
            elif finer is not None:
                if answer.status_code not in finer:
                    wrong.append(f"{what}, none of {finer}")
            elif refused(answer) or (plain and answer.status_code in (404, 405)):
                wrong.append(f"{what}, refused: {answer.text}")
            if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
                wrong.append(f"{what}: not a problem")
            broken = method != "get" and answer.is_success
            if broken and await entries(world) == before:
                # Mail of one's own changes as over IMAP; whoever else looks into it is audited.
                silent += [] if allowed.scope == "mail:write" else [f"{method} {path}"]
            seen["allowed" if want is None else str(want)] += 1
    size = f"{seen.total() // len(Caller)} routes x {len(Caller)} callers = {seen.total()} calls"
    with capsys.disabled():
        print(f"\nrole matrix: {size}: {dict(seen)}")
    assert not wrong, "\n".join(wrong)
    assert not set(silent) - UNCHANGED, f"changes without an audit entry: {sorted(set(silent))}"


def test_a_route_that_says_nothing_of_who_may_call_it_is_an_error() -> None:
    router = APIRouter()

    @router.get("/open")
    async def open_to_all() -> None: ...

    app = FastAPI()
    app.router.routes.extend(router.routes)
    with pytest.raises(LookupError, match="/open"):
        openapi.access_of(app)


def test_no_path_is_served_outside_of_the_matrix() -> None:
    app = make_routes()
    others = [route for route in app.routes if not isinstance(route, APIRoute)]
    assert [getattr(route, "path", "") for route in others] == ["/api/v1/openapi.json"]
