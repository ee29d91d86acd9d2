"""Which server a command talks to, and what it says of servers that are none."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailraven.app.data_directory import DataDirectory
from mailraven.cli.api_client import Api, ApiError, Unreachable, path
from mailraven.cli.connection import NoServer, Server, find_server
from mailraven.cli.problems import CommandError, UsageProblem

TOKEN = "mr_" + "A" * 43
Answer = tuple[int, dict[str, str], bytes]


def running(home: Path, url: str = "http://127.0.0.1:1") -> DataDirectory:
    """A data directory that somebody holds."""
    data = DataDirectory(home / "data")
    data.create()
    data.admin_token.write_text("mr_local\n")
    data.api_url.write_text(url + "\n")
    data.lock()
    return data


def test_the_data_directory_knows_its_server_as_long_as_it_runs(tmp_path: Path) -> None:
    data = running(tmp_path)
    found = find_server(data, None, None, {})
    assert (found.url, found.token) == ("http://127.0.0.1:1", "mr_local")
    data.unlock()
    with pytest.raises(NoServer, match="start it with `mailraven up`"):
        find_server(data, None, None, {})
    assert DataDirectory(tmp_path / "none").is_locked() is False
    assert not (tmp_path / "none").exists()


def test_the_local_token_goes_to_the_local_server_only(tmp_path: Path) -> None:
    data = running(tmp_path)
    assert find_server(data, "http://127.0.0.1:1/", None, {}).token == "mr_local"
    with pytest.raises(UsageProblem, match="no token for https://mail"):
        find_server(data, "https://mail.example.org", None, {})
    assert find_server(data, "https://mail.example.org", None, {"MAILRAVEN_TOKEN": TOKEN}).token == TOKEN
    (tmp_path / "token").write_text("mr_file\n")
    assert find_server(data, None, tmp_path / "token", {"MAILRAVEN_TOKEN": TOKEN}).token == "mr_file"


def test_a_variable_may_name_the_file_of_the_token(tmp_path: Path) -> None:
    data, file = DataDirectory(tmp_path / "none"), tmp_path / "admin-token"
    file.write_text("mr_file\n")
    variables = {"MAILRAVEN_TOKEN_FILE": str(file)}
    assert find_server(data, "http://api:8080", None, variables).token == "mr_file"
    assert find_server(data, "http://api:8080", None, variables | {"MAILRAVEN_TOKEN": TOKEN}).token == TOKEN
    file.unlink()
    with pytest.raises(CommandError, match=f"MAILRAVEN_TOKEN_FILE {file}: No such file"):
        find_server(data, "http://api:8080", None, variables)


@pytest.mark.parametrize(
    "url", ["mail.example.org", "ftp://x", "http://", "http://u:p@x", "http://x:99999", "http://x/?a=b"]
)
def test_a_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageProblem, match="expected a URL"):
        find_server(DataDirectory(tmp_path), url, None, {"MAILRAVEN_TOKEN": TOKEN})


@pytest.mark.parametrize("content", ["", "two words", "line\nline", "käse", "\x00"])
def test_a_token_that_cannot_be_sent_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(CommandError, match="expected one token"):
        find_server(DataDirectory(tmp_path), "http://127.0.0.1:1", tmp_path / "token", {})


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert path("domains", "a/b?c#d") == "/api/v1/domains/a%2Fb%3Fc%23d"
    assert path("accounts", "ann+x@example.org") == "/api/v1/accounts/ann%2Bx@example.org"
    for name in ("", ".", ".."):
        with pytest.raises(UsageProblem):
            path("domains", name)


@contextmanager
def answering(answer: Callable[[str], Answer]) -> Iterator[Api]:
    """A server that is not ours, and a client of it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            with Api(Server(f"http://127.0.0.1:{server.server_port}", TOKEN, "a test"), timeout=5.0) as api:
                yield api
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, {}, b"<html>router</html>"), "does not answer like MailRaven"),
        ((404, {"Content-Type": "text/html"}, b"no"), r"does not answer like MailRaven \(status 404, text/html\)"),
        ((200, {}, b'{"items": 7}'), "does not answer like MailRaven"),
        ((301, {"Location": "https://x.example/"}, b""), "sends to https://x.example/"),
        ((500, {}, b"[" * 100_000), "does not answer like MailRaven"),
    ],
)
def test_a_server_that_is_not_ours_is_told(answer: Answer, expected: str) -> None:
    with answering(lambda _: answer) as api, pytest.raises(Unreachable, match=expected):
        list(api.pages("/api/v1/domains"))


def problem(status: int, **members: Any) -> Answer:
    return status, {"Content-Type": "application/problem+json"}, json.dumps({"status": status, **members}).encode()


def test_problems_of_values_are_one_line() -> None:
    errors = [{"pointer": f"/domain/field{n}", "detail": "wrong"} for n in range(7)]
    with (
        answering(lambda _: problem(422, detail="Not valid", errors=errors)) as api,
        pytest.raises(ApiError) as raised,
    ):
        api.get("/x")
    assert str(raised.value).startswith("domain.field0: wrong; domain.field1: wrong; ")
    assert str(raised.value).endswith("(and 2 more)")


def test_a_wrong_token_says_what_to_do() -> None:
    with (
        answering(lambda _: problem(401, detail="no")) as api,
        pytest.raises(ApiError, match=r"token of a test.*token add"),
    ):
        api.get("/x")


def test_a_server_that_says_later_is_asked_later() -> None:
    asked: list[float] = []

    def answer(_: str) -> Answer:
        asked.append(time.monotonic())
        if len(asked) > 2:
            return 200, {}, b'{"x": 1}'
        status, headers, body = problem(429, detail="slower")
        return status, {**headers, "Retry-After": "0.1"}, body

    with answering(answer) as api:
        assert api.get("/x") == {"x": 1}
    assert asked[2] - asked[0] >= 0.2


def test_a_long_wait_is_left_to_the_caller() -> None:
    status, headers, body = problem(429, detail="Too many requests.")
    with (
        answering(lambda _: (status, {**headers, "Retry-After": "1800"}, body)) as api,
        pytest.raises(ApiError, match=r"Too many requests\. Try again in 30 minutes"),
    ):
        api.get("/x")


def test_all_pages_are_read_and_no_more_than_asked_for() -> None:
    asked: list[str] = []

    def answer(where: str) -> Answer:
        asked.append(where)
        number = len(asked)
        document = {"items": [number * 10 + n for n in range(2)], "next": f"c{number}" if number < 3 else None}
        return 200, {}, json.dumps(document).encode()

    with answering(answer) as api:
        assert list(api.pages("/x", domain="a b")) == [10, 11, 20, 21, 30, 31]
    assert asked == [f"/x?limit=1000{cursor}&domain=a+b" for cursor in ("", "&cursor=c1", "&cursor=c2")]
    asked.clear()
    with answering(answer) as api:
        assert list(api.pages("/x", limit=2)) == [10, 11]
    assert len(asked) == 1


def test_nobody_there_is_said() -> None:
    with Api(Server("http://127.0.0.1:9", TOKEN, "")) as api, pytest.raises(Unreachable, match="cannot be reached"):
        api.get("/x")


def test_a_connection_that_the_server_closed_is_made_again() -> None:
    asked: list[str] = []

    def answer(where: str) -> Answer:
        asked.append(where)
        return 200, {"Connection": "close"} if len(asked) == 1 else {}, b"{}"

    with answering(answer) as api:
        assert [api.get(f"/{number}") for number in range(3)] == [{}, {}, {}]
    assert asked == ["/0", "/1", "/2"]
