"""The HTTP servers: routes, tokens, headers, problems; a real uvicorn on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from mailraven.adminapi.api import make_api
from mailraven.adminapi.headers import SECURITY_HEADERS, AsgiApp, Receive, Scope, Send
from mailraven.adminapi.health import HealthMonitor, Level, Report
from mailraven.adminapi.ops import OpsApp, with_ops
from mailraven.adminapi.server import HttpServer
from mailraven.adminapi.services import ApiServices
from mailraven.config import HealthConfig
from mailraven.limits import Occupancy
from mailraven.telemetry.multiprocess import exposition
from mailraven.testing.admin_api import AdminApi


@asynccontextmanager
async def served(app: AsgiApp, **limits: Any) -> AsyncIterator[httpx.AsyncClient]:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server = HttpServer(app, **limits)
    await server.start([("http", listening, "none")])
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client
    await server.drain(5)


@pytest.fixture
def monitor() -> HealthMonitor:
    return HealthMonitor(HealthConfig())


@pytest.fixture
async def ops(monitor: HealthMonitor) -> AsyncIterator[httpx.AsyncClient]:
    async with served(OpsApp(monitor, exposition())) as client:
        yield client


@pytest.fixture
def services(admin_api: AdminApi) -> ApiServices:
    return admin_api.services


@pytest.fixture
async def api(services: ApiServices, monitor: HealthMonitor) -> AsyncIterator[httpx.AsyncClient]:
    async with served(with_ops(make_api(services), OpsApp(monitor, exposition()))) as client:
        yield client


@pytest.fixture
async def headers(admin_api: AdminApi) -> dict[str, str]:
    return {"Authorization": f"Bearer {await admin_api.token()}"}


def assert_hardened(response: httpx.Response) -> None:
    for name, value in SECURITY_HEADERS:
        assert response.headers[name.decode()] == value.decode()
    assert response.headers["x-request-id"]
    assert "server" not in response.headers


async def test_livez_never_depends_on_anything(ops: httpx.AsyncClient, monitor: HealthMonitor) -> None:
    assert (await ops.get("/livez")).status_code == 200
    assert (await ops.get("/readyz")).status_code == 503
    monitor.serving()
    assert (await ops.get("/readyz")).text == "serving\n"
    monitor.draining()
    response = await ops.get("/readyz")
    assert (response.status_code, response.text) == (503, "draining\n")
    assert (await ops.get("/livez")).status_code == 200


async def test_health_is_503_when_a_component_is_unhealthy(ops: httpx.AsyncClient, monitor: HealthMonitor) -> None:
    async def check() -> Report:
        return Report(Level.UNHEALTHY, "gone")

    assert (await ops.get("/health")).json() == {"status": "healthy", "phase": "starting", "components": {}}
    monitor.add("blobs", check, interval=5)
    await monitor.check_due()
    response = await ops.get("/health")
    assert response.status_code == 503
    assert response.json()["components"] == {"blobs": {"status": "unhealthy", "detail": "gone"}}


async def test_metrics_are_in_the_prometheus_format(ops: httpx.AsyncClient) -> None:
    response = await ops.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE mailraven_smtp_messages_total counter" in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/livez/x", 404),
        ("POST", "/livez", 405),
        ("PUT", "/metrics", 405),
        ("HEAD", "/livez", 200),
    ],
)
async def test_other_paths_and_methods(ops: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    response = await ops.request(method, path)
    assert response.status_code == status
    assert_hardened(response)


async def test_the_api_answers_with_the_token(
    api: httpx.AsyncClient, admin_api: AdminApi, headers: dict[str, str]
) -> None:
    await admin_api.account("ann@example.org")
    response = await api.get("/api/v1/version", headers=headers)
    assert response.status_code == 200
    assert_hardened(response)
    domains = (await api.get("/api/v1/domains", headers=headers)).json()["items"]
    assert [domain["name"] for domain in domains] == ["example.org"]
    answer = await api.get("/api/v1/accounts", headers=headers, params={"domain": "example.org"})
    assert [account["address"] for account in answer.json()["items"]] == ["ann@example.org"]
    assert "argon2" not in answer.text


async def test_without_a_valid_token_it_is_401(api: httpx.AsyncClient) -> None:
    for path in ("/api/v1/version", "/api/v1/domains", "/api/v1/accounts?domain=example.org"):
        for header in (None, b"", b"Bearer", b"Bearer x", b"Basic YTpi", b"Bearer mr_" + b"A" * 43, b"bearer \x80"):
            response = await api.get(path, headers={} if header is None else {"Authorization": header})
            assert response.status_code == 401, (path, header)
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == 401
            assert_hardened(response)


BAD_REQUESTS = (
    ("/api/v1/nothing", 404),
    ("/api/v1/domains/", 404),
    ("/docs", 404),
    ("/openapi.json", 404),
    ("/api/v1/domains?limit=0", 422),
    ("/api/v1/domains?limit=1001", 422),
    ("/api/v1/domains?limit=x", 422),
    ("/api/v1/domains?cursor=%2e", 422),
    ("/api/v1/domains?cursor=AA", 422),
    ("/api/v1/domains?cursor=_w", 422),
    ("/api/v1/audit?cursor=YQ", 422),
    ("/api/v1/audit?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk", 422),
    ("/api/v1/audit?since=0001-01-01T00:00:00%2b14:00", 422),
    ("/api/v1/audit?until=2026-01-01T00:00:00", 422),
    ("/api/v1/accounts?domain=..", 422),
    ("/api/v1/accounts?domain=a%00b", 422),
    ("/api/v1/domains/a%00b", 422),
    ("/api/v1/domains/..%2e", 404),
    ("/api/v1/domains/-", 404),
    ("/api/v1/accounts/%ff%fe", 404),
    ("/api/v1/accounts?domain=%ff%fe", 422),
    ("/api/v1/version?x=" + "y" * 9000, 414),
)


async def test_a_bad_request_is_a_problem(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path, status in BAD_REQUESTS:
        response = await api.get(path, headers=headers)
        assert response.status_code == status, (path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
        assert_hardened(response)


async def test_without_the_database_it_is_503(
    api: httpx.AsyncClient, services: ApiServices, headers: dict[str, str]
) -> None:
    await services.database.close()
    response = await api.get("/api/v1/domains", headers=headers)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert (await api.get("/health")).status_code == 200


async def test_a_defect_of_the_api_is_a_problem_that_says_nothing(
    api: httpx.AsyncClient, services: ApiServices, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **_more: object) -> None:
        raise LookupError("secret detail")

    monkeypatch.setattr("mailraven.adminapi.routes.version.Version", fail)
    response = await api.get("/api/v1/version", headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in response.text
    assert_hardened(response)


async def test_a_defect_is_a_plain_500_with_a_request_id() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise LookupError("secret detail")

    async with served(broken) as client:
        response = await client.get("/")
    assert response.status_code == 500
    assert response.json()["title"] == "Internal Server Error"
    assert "secret" not in response.text
    assert_hardened(response)


async def test_requests_are_counted_by_route_not_by_path(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in ("/api/v1/version", "/no/such/place", "/api/v1/domains?limit=0"):
        await api.get(path, headers=headers)
    text = (await api.get("/metrics")).text
    for labels in (
        'route="/api/v1/version",status="200"',
        'route="other",status="404"',
        'route="/api/v1/domains",status="422"',
    ):
        assert f"mailraven_http_requests_total{{{labels}}}" in text
    assert "/no/such/place" not in text


@pytest.mark.parametrize("said", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000])
async def test_a_client_that_does_not_finish_its_request_is_cut_off(monitor: HealthMonitor, said: bytes) -> None:
    async with served(OpsApp(monitor, exposition()), request_seconds=0.3) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_one_client_has_only_so_many_connections(monitor: HealthMonitor) -> None:
    occupancy = Occupancy(lambda: 2, lambda ip: False)
    async with served(OpsApp(monitor, exposition()), occupancy=occupancy) as client:
        address = "127.0.0.1", client.base_url.port
        idle = [await asyncio.open_connection(*address) for _ in range(2)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(*address)
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 429 ")
        for _, one in [*idle, (reader, writer)]:
            one.close()
            await one.wait_closed()
        await asyncio.sleep(0.1)
        assert (await client.get("/livez")).status_code == 200


async def test_a_second_request_may_be_as_late_as_a_first(monitor: HealthMonitor) -> None:
    async with served(OpsApp(monitor, exposition()), request_seconds=0.3) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"alive\n")
        writer.write(b"GET /livez HTTP/1.1\r\n")
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_header_without_end_is_refused(ops: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", ops.base_url.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000)
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 400 ")
    writer.close()
