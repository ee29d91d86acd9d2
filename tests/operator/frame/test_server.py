"""The client of the admin API: against a real one, and against servers that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mailraven_operator.server import Server, ServerRefused, ServerUnreachable, path


async def test_a_real_server_is_read_and_changed(site: Any) -> None:
    server: Server = site.context.server
    where = path("domains", "example.org")
    assert await server.read(where) is None
    assert await server.domain("example.org") is None
    made = await server.put(where, {"max_users": 5})
    assert made["max_users"] == 5
    found = await server.read(where)
    assert found is not None
    document, etag = found
    assert document["max_users"] == 5
    # The list was read before: what we changed since is asked for.
    assert (await server.domain("example.org"))["max_users"] == 5  # type: ignore[index]
    await server.patch(where, {"max_users": 6}, etag=etag)
    with pytest.raises(ServerRefused) as stale:
        await server.put(where, {"max_users": 7}, etag=etag)
    assert stale.value.status == 412
    with pytest.raises(ServerRefused) as wrong:
        await server.put(where, {"max_users": "many"})
    assert (wrong.value.status, wrong.value.field) == (422, "/max_users")
    assert "many" not in wrong.value.detail
    assert await server.delete(where)
    assert not await server.delete(where)
    assert await server.domain("example.org") is None


async def test_lists_are_read_to_their_end(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven_operator.server._PAGE", 2)
    server: Server = site.context.server
    await server.put(path("domains", "example.org"), {})
    for number in range(5):
        await server.put(path("accounts", f"user{number}@example.org"), {})
    accounts = await server.accounts()
    assert set(accounts) == {f"user{number}@example.org" for number in range(5)}
    assert accounts["user1@example.org"] == await server.account("user1@example.org")


async def test_a_new_token_is_read_from_its_file(site: Any) -> None:
    server, token = site.context.server, site.settings.token_file
    good = token.read_text()
    token.write_text("mr_wrong")
    async with Server(server._url, token) as another:
        with pytest.raises(ServerRefused) as refused:
            await another.domains()
        assert refused.value.status == 401
        token.write_text(good)
        assert await another.domains() == {}


def test_paths_are_quoted() -> None:
    assert path("accounts", "a/b?c#@example.org") == "/api/v1/accounts/a%2Fb%3Fc%23@example.org"
    for name in ("", ".", ".."):
        with pytest.raises(ValueError, match="no name"):
            path("accounts", name)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def misbehaving(tmp_path: Path) -> AsyncIterator[Callable[[Answer], Awaitable[Server]]]:
    """A server that answers as a test says, and our client of it."""
    runners: list[web.AppRunner] = []
    clients: list[Server] = []
    (tmp_path / "token").write_text("mr_s3cret\n")

    async def start(answer: Answer) -> Server:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        clients.append(Server(f"http://127.0.0.1:{runner.addresses[0][1]}", tmp_path / "token"))
        return clients[-1]

    yield start
    for client in clients:
        await client.__aexit__(None, None, None)
    for runner in runners:
        await runner.cleanup()


async def test_a_server_that_says_later_is_asked_again(misbehaving: Any) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        if len(asked) < 3:
            return web.json_response({"status": 429, "title": "Later"}, status=429, headers={"Retry-After": "0"})
        return web.json_response({"name": "x"})

    server = await misbehaving(answer)
    assert await server.read(path("domains", "x")) == ({"name": "x"}, "")
    assert asked == ["Bearer mr_s3cret"] * 3


@pytest.mark.parametrize(
    ("status", "body", "headers", "text"),
    [
        (200, b"<html>", {}, "no JSON"),
        (301, b"", {"Location": "/"}, "status 301"),
        (404, b"not here", {}, "status 404"),
        (200, b'{"items": 1}', {}, "no list"),
        (503, json.dumps({"status": 503, "detail": "the database is away"}).encode(), {}, "the database is away"),
        (503, json.dumps({"status": 503, "detail": "later"}).encode(), {"Retry-After": "900"}, "later"),
    ],
)
async def test_what_is_not_mailraven_is_unreachable(
    misbehaving: Any, status: int, body: bytes, headers: dict[str, str], text: str
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    server = await misbehaving(answer)
    with pytest.raises(ServerUnreachable, match=text):
        await server.domains()


async def test_a_server_that_never_answers_is_given_up(misbehaving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven_operator.server._TIMEOUT", 0.1)

    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    server = await misbehaving(answer)
    with pytest.raises(ServerUnreachable, match="in time"):
        await server.domains()


async def test_nobody_at_the_address_is_unreachable_and_tells_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mr_s3cret")
    async with Server("http://127.0.0.1:9", tmp_path / "token") as server:
        with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:9 cannot be reached") as away:
            await server.domains()
    assert "s3cret" not in str(away.value)


@pytest.mark.parametrize("content", [None, b"", b"two words\n\x00", b"\xff\xfe"])
async def test_a_token_that_cannot_be_used_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    async with Server("http://127.0.0.1:9", tmp_path / "token") as server:
        with pytest.raises(ServerUnreachable, match="token"):
            await server.domains()
