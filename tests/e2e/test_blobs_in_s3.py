"""`mailraven up` with its blobs in S3: large mail goes there, and an outage is a refusal, not a loss."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailraven.testing.mail_clients import HOST, Mailserver, mailraven_up, run_client
from mailraven.testing.s3_server import S3Server

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """Stopped and started by the test."""
    running = S3Server(tmp_path / "s3")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def server(tmp_path: Path, s3_server: S3Server) -> Iterator[Mailserver]:
    """With one user."""
    variables = {
        "KIND": "s3",
        "S3__ENDPOINT": s3_server.endpoint,
        "S3__BUCKET": s3_server.bucket,
        "S3__ACCESS_KEY": s3_server.access_key,
        "S3__SECRET_KEY": s3_server.secret_key,
        "S3__SECURE": "false",
    }
    named = {f"MAILRAVEN_BLOBS__{name}": value for name, value in variables.items()}
    (tmp_path / "up").mkdir()
    with mailraven_up(tmp_path / "up", ["anna@example.test"], workers=1, variables=named) as running:
        yield running


def test_an_outage_of_s3_refuses_large_mail_and_loses_nothing(
    server: Mailserver, s3_server: S3Server, tmp_path: Path
) -> None:
    address, password = server.user(0)
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(b"Subject: large\r\n\r\n" + b"a line of text\r\n" * 20_000)
    small.write_bytes(b"Subject: small\r\n\r\na line of text\r\n")
    base = ["curl", "--silent", "--show-error", "--cacert", server.ca_file, "--user", f"{address}:{password}"]
    url = f"imaps://{HOST}:{server.port('imaps')}/Drafts"

    def upload(mail: Path, *codes: int) -> None:
        run_client([*base, "--upload-file", str(mail), url], codes=codes)

    def read(uid: int, *codes: int) -> bytes:
        return run_client([*base, f"{url};UID={uid}"], codes=codes)

    upload(large, 0)
    assert read(1, 0) == large.read_bytes()
    s3_server.stop()
    upload(large, 25)  # curl: the upload was refused
    upload(small, 0)  # in Postgres: it needs no S3
    assert read(2, 0) == small.read_bytes()
    assert read(1, 78) == b""  # curl: it got no message
    s3_server.start()
    assert read(1, 0) == large.read_bytes()
    upload(large, 0)
    assert read(3, 0) == large.read_bytes()
