"""Keys of the platform instead of keys in the settings."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mailraven.blobs import BlobUnavailable
from mailraven.blobs.opening import open_s3
from mailraven.config import ConfigError, S3Config

_KEYS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA-of-the-moment</AccessKeyId>
<SecretAccessKey>of-the-moment</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@dataclass
class Platform:
    """A token service and a bucket in one: what was asked of both."""

    server: ThreadingHTTPServer
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    status: int = 200

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def platform() -> Iterator[Platform]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            made.asked.append(parse_qs(urlsplit(self.path).query) | parse_qs(body))
            self._answer(made.status, _KEYS.encode())

        def do_HEAD(self) -> None:
            made.signed.append(self.headers["Authorization"])
            made.sessions.append(self.headers["X-Amz-Security-Token"])
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    made = Platform(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("a.signed.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/mail")


def config(platform: Platform) -> S3Config:
    return S3Config(
        endpoint=platform.endpoint, secure=False, credentials="workload", sts_endpoint=f"http://{platform.endpoint}"
    )


@pytest.mark.usefixtures("identity")
async def test_the_pod_s_token_is_changed_into_keys_once(platform: Platform) -> None:
    store = open_s3(config(platform))
    await store.check()
    await store.check()
    await store.close()
    assert [asked["WebIdentityToken"] for asked in platform.asked] == [["a.signed.token"]]
    assert platform.asked[0]["RoleArn"] == ["arn:aws:iam::1:role/mail"]
    assert all("Credential=ASIA-of-the-moment/" in signed for signed in platform.signed)
    assert platform.sessions == ["session", "session"]


@pytest.mark.usefixtures("identity")
async def test_a_token_service_that_refuses_is_a_store_that_is_away(platform: Platform) -> None:
    platform.status = 403
    store = open_s3(config(platform))
    with pytest.raises(BlobUnavailable) as caught:
        await store.check()
    assert "gives no keys" in str(caught.value)
    assert "a.signed.token" not in repr(caught.value.__cause__)
    await store.close()


async def test_keys_are_asked_for_only_without_a_workload_identity() -> None:
    with pytest.raises(ConfigError) as caught:
        open_s3(S3Config(credentials="workload"))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["blobs.s3.endpoint"]
