"""The server's image at work: as nobody, with nothing to write to but its volume, beside databases and without."""

import secrets

import pytest

from mailraven.testing.cluster import CommandFailed, run, until
from mailraven.testing.containers import STRICT, Container

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]
READY_SECONDS = 3.0


def test_it_is_ready_in_three_seconds_and_ends_when_it_is_told(server: str, beside_postgres: tuple[str, ...]) -> None:
    """The best of five: the machine has other work, too."""
    seconds = []
    for _ in range(5):
        with Container(server, options=beside_postgres) as container:
            seconds.append(container.ready())
            code, stopping = container.stop(20)
            assert (code, stopping < 10) == (0, True), container.log
            assert "draining" in container.log
        if seconds[-1] < READY_SECONDS:
            break
    assert min(seconds) < READY_SECONDS


def test_docker_knows_how_it_is(server: str, beside_postgres: tuple[str, ...]) -> None:
    with Container(server, options=(*beside_postgres, "--health-interval", "1s")) as container:
        until(lambda: container.state["Health"]["Status"] == "healthy", "a healthy container")
        assert container.state["Health"]["Log"][-1]["Output"] == "serving\n"
        with pytest.raises(CommandFailed, match="executable file not found"):
            run(["docker", "exec", container.name, "sh", "-c", "true"])


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("MAILRAVEN_SMTP__MAX_HOPS=many", "MAILRAVEN_SMTP__MAX_HOPS"),
        ("MAILRAVEN_SMTP__NO_SUCH_KEY=1", "MAILRAVEN_SMTP__NO_SUCH_KEY"),
        ("MAILRAVEN_DATABASE__URL_FILE=/run/secrets/none", "/run/secrets/none"),
        ("MAILRAVEN_LOG__LEVEL=info", "MAILRAVEN_DATABASE__URL"),  # which is missing
    ],
)
def test_a_wrong_variable_ends_it_at_once_by_name(server: str, variable: str, expected: str) -> None:
    with Container(server, options=(*STRICT, "--env", variable)) as container:
        assert container.ended(20) == 2
        assert expected in container.log
        assert "Traceback" not in container.log


def test_a_database_that_is_away_is_waited_for(server: str, network: str) -> None:
    url = "postgresql://mailraven:secret-of-the-database@no-such-host.invalid/mailraven"
    options = (*STRICT, "--network", network, "--env", f"MAILRAVEN_DATABASE__URL={url}", "--publish", "127.0.0.1::9090")
    with Container(server, options=(*options, "--health-interval", "1s", "--health-start-period", "1s")) as container:
        until(lambda: container.log.count("no-such-host.invalid") >= 3, "three lines about it")
        status, text = container.ask("/readyz")
        assert status == 503
        assert "no-such-host.invalid" in text
        assert container.ask("/livez")[0] == 200
        until(lambda: container.state["Health"]["Status"] == "unhealthy", "an unhealthy container")
        assert container.state["Status"] == "running"
        code, stopping = container.stop(20)
        assert (code, stopping < 10) == (0, True)
        assert "secret-of-the-database" not in container.log


@pytest.mark.parametrize("mount", ["--volume=VOLUME:/data:ro", "--tmpfs=/data/blobs:mode=0500,uid=0"])
def test_a_volume_that_cannot_be_written_is_named(server: str, beside_postgres: tuple[str, ...], mount: str) -> None:
    volume = f"mailraven-test-{secrets.token_hex(4)}"
    try:
        with Container(server, options=(*beside_postgres, mount.replace("VOLUME", volume))) as container:
            assert container.ended(30) == 1
            assert "/data/blobs" in container.log
            assert "Traceback" not in container.log
    finally:
        run(["docker", "volume", "rm", "--force", volume])
