"""The two images, as `make images` builds them, and a Postgres beside them. Needs docker: `pytest -m images`."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailraven.testing.cluster import run, until
from mailraven.testing.containers import STRICT, Container

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def built() -> None:
    """Both are there, of these sources."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("docker does not run")
    run(["make", "--directory", str(ROOT), "images"], seconds=1200)


@pytest.fixture(params=["mailraven-server:dev", "mailraven-operator:dev"])
def image(request: pytest.FixtureRequest, built: None) -> str:
    """Each of the two."""
    return str(request.param)


@pytest.fixture(scope="session")
def server(built: None) -> str:
    """The server's."""
    return "mailraven-server:dev"


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    """One where containers know each other by name."""
    name = f"mailraven-test-{secrets.token_hex(4)}"
    run(["docker", "network", "create", name])
    yield name
    run(["docker", "network", "rm", name])


@pytest.fixture(scope="session")
def beside_postgres(server: str, network: str) -> Iterator[tuple[str, ...]]:
    """Options of `docker run` for a server beside a ready, migrated Postgres."""
    password = secrets.token_hex(8)
    options = ("--network", network, "--env", f"POSTGRES_PASSWORD={password}")
    with Container("postgres:15", options=options) as postgres:
        asked = [
            "docker",
            "exec",
            postgres.name,
            "pg_isready",
            "--quiet",
            "--host",
            "127.0.0.1",
            "--username",
            "postgres",
        ]
        until(lambda: run(asked) == "", "Postgres")
        url = f"postgresql://postgres:{password}@{postgres.name}/postgres"
        given = (*STRICT, "--network", network, "--env", f"MAILRAVEN_DATABASE__URL={url}")
        until(lambda: "applied" in run(["docker", "run", "--rm", *given, server, "migrate"]), "the schema")
        yield (*given, "--publish", "127.0.0.1::9090")
