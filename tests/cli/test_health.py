"""`mailraven health`, against an ops listener that says what the test wants."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from mailraven.cli.main import app


class Ops(BaseHTTPRequestHandler):
    """/livez and /readyz of a server that waits for its database."""

    def do_GET(self) -> None:
        ready = self.path == "/livez"
        body = b"alive\n" if ready else b"database: connection refused\n"
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Ops) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health(port: int, *arguments: str) -> tuple[int, str]:
    """Exit code and everything it says."""
    result = CliRunner().invoke(app, ["health", *arguments], env={"MAILRAVEN_LISTENERS__OPS__PORT": str(port)})
    return result.exit_code, result.output


def test_a_server_that_is_not_ready_says_why(port: int) -> None:
    assert health(port) == (1, "mailraven: database: connection refused\n")


def test_it_may_be_alive_all_the_same(port: int) -> None:
    assert health(port, "--live") == (0, "alive\n")


def test_settings_of_the_command_line_count(port: int) -> None:
    assert health(1, "--live", "--set", f"listeners.ops.port={port}") == (0, "alive\n")


def test_nobody_answers() -> None:
    code, text = health(1)
    assert (code, text.count("\n")) == (1, 1)
    assert text.startswith("mailraven: 127.0.0.1 port 1 does not answer: ")
