"""`mailraven serve`, `migrate` and the small commands, against a Postgres of their own."""

import signal
import smtplib
import socket
import subprocess
from pathlib import Path

import pytest

from mailraven.testing.command_line import ENVIRONMENT, MAILRAVEN, get, run, wait_for
from mailraven.testing.postgres import TestCluster


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def empty_dsn(cluster: TestCluster) -> str:
    return cluster.create(template=False)


def settings(dsn: str, home: Path, *listeners: str) -> tuple[dict[str, str], dict[str, int]]:
    """Variables and ports."""
    ports = {name: free_port() for name in (*listeners, "ops")}
    variables = {f"MAILRAVEN_LISTENERS__{name.upper()}__PORT": str(port) for name, port in ports.items()}
    variables |= {f"MAILRAVEN_LISTENERS__{name.upper()}__HOST": "127.0.0.1" for name in ports}
    secret = home / "url"
    secret.write_text(dsn + "\n")
    variables |= {"MAILRAVEN_DATABASE__URL_FILE": str(secret), "MAILRAVEN_BLOBS__DIRECTORY": str(home / "blobs")}
    return variables, ports


def test_serve_waits_for_the_migration_and_then_serves(tmp_path: Path, empty_dsn: str) -> None:
    variables, ports = settings(empty_dsn, tmp_path, "mx", "http")
    certificates = run_up_certificates(tmp_path)
    environment = {**ENVIRONMENT, **variables, **certificates}
    ops = f"http://127.0.0.1:{ports['ops']}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [MAILRAVEN, "serve", "mx", "admin", "--set", "health.interval=100ms"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: answers(ops + "/livez") == 200, "/livez")
        wait_for(lambda: get(ops + "/readyz")[1].endswith(b"run `mailraven migrate`\n"), "the reason")
        assert get(ops + "/readyz")[0] == 503
        wait_for(lambda: b"run `mailraven migrate`" in (tmp_path / "log").read_bytes(), "the hint")
        assert "applied 0001" in run("migrate", **variables).stdout
        assert run("migrate", **variables).stdout == "the schema is current\n"
        run("domain", "add", "example.org", **variables)
        assert run("domain", "list", **variables).stdout == "example.org\tactive\n"
        run("user", "add", "ann@example.org", "--password-file", "-", stdin="correct horse\n", **variables)
        wait_for(lambda: answers(ops + "/readyz") == 200, "/readyz", 30)
        with smtplib.SMTP("127.0.0.1", ports["mx"], timeout=30) as smtp:
            assert smtp.sendmail("x@example.com", ["ann@example.org"], "Subject: hi\r\n\r\nbody\r\n") == {}
        assert get(f"http://127.0.0.1:{ports['http']}/api/v1/version")[0] == 401
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, (tmp_path / "log").read_text()


def run_up_certificates(home: Path) -> dict[str, str]:
    import datetime as dt

    from mailraven.tls.selfsigned import ensure_self_signed

    files = ensure_self_signed(home / "tls", ["localhost"], dt.datetime.now(dt.UTC))
    return {"MAILRAVEN_TLS__CERT_FILE": str(files.cert_file), "MAILRAVEN_TLS__KEY_FILE": str(files.key_file)}


def answers(url: str) -> int:
    try:
        return get(url)[0]
    except OSError:
        return 0


def test_serve_stays_alive_without_a_database(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables, ports = settings(f"postgresql://nobody:geheim@{address}/none", tmp_path)
    environment = {**ENVIRONMENT, **variables}
    trouble = f"database {address} does not answer: Connection refused"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([MAILRAVEN, "serve", "delivery"], env=environment, stdout=log, stderr=log)
    try:
        ops = f"http://127.0.0.1:{ports['ops']}"
        wait_for(lambda: answers(ops + "/livez") == 200, "/livez")
        wait_for(lambda: get(ops + "/readyz") == (503, f"starting: {trouble}\n".encode()), "the reason")
        log = tmp_path / "log"
        wait_for(lambda: log.read_text().count(trouble) >= 3, "a line for each try")
        assert "geheim" not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MAILRAVEN_DATABASE_URL": "postgresql://h/d"}, ["MAILRAVEN_DATABASE_URL", "MAILRAVEN_DATABASE__URL"]),
        ({"MAILRAVEN_SMTP__MAX_RECIPIENTS": "5"}, ["MAILRAVEN_SMTP__MAX_RECIPIENTS", "greater than or equal to 100"]),
        ({"MAILRAVEN_HOSTNAME": "mail_example"}, ["MAILRAVEN_HOSTNAME", "expected a host name"]),
        ({"MAILRAVEN_DATABASE__URL": ""}, ["MAILRAVEN_DATABASE__URL=postgresql://"]),
        ({"MAILRAVEN_SECRETS__KEY": "short"}, ["MAILRAVEN_SECRETS__KEY", "base64 of 32 bytes"]),
        ({"MAILRAVEN_BLOBS__KIND": "s3"}, ["MAILRAVEN_BLOBS__S3__ENDPOINT", "needed when blobs.kind is s3"]),
        ({"MAILRAVEN_BLOBS__DIRECTORY": "/dev/null/x"}, ["/dev/null/x: Not a directory", "expected a directory"]),
        ({"MAILRAVEN_TLS__CERT_FILE": "/x", "MAILRAVEN_TLS__KEY_FILE": "/y"}, ["/x"]),
    ],
)
def test_a_wrong_variable_ends_the_program_at_once(tmp_path: Path, variables: dict[str, str], said: list[str]) -> None:
    away = {"MAILRAVEN_DATABASE__URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"}
    ports = {f"MAILRAVEN_LISTENERS__{name}__PORT": str(free_port()) for name in ("MX", "OPS")}
    environment = {**ENVIRONMENT, **away, "MAILRAVEN_BLOBS__DIRECTORY": str(tmp_path / "blobs"), **ports, **variables}
    done = subprocess.run(
        [MAILRAVEN, "serve", "mx"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode in (1, 2), done
    for words in said:
        assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_serve_with_workers_is_supervised(tmp_path: Path, dsn: str) -> None:
    variables, ports = settings(dsn, tmp_path)
    environment = {**ENVIRONMENT, **variables}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [MAILRAVEN, "serve", "delivery", "--workers", "2"], env=environment, stdout=log, stderr=log
        )
    try:
        ops = f"http://127.0.0.1:{ports['ops']}"
        wait_for(lambda: answers(ops + "/readyz") == 200, "/readyz")
        assert b"mailraven_worker_resident_bytes" in get(ops + "/metrics")[1]
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_problems_of_the_world_end_with_1(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    assert "is not a data directory" in run("domain", "list", "--data", none, code=1).stderr
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    assert "does not answer" in run("domain", "list", code=1, MAILRAVEN_DATABASE__URL=away).stderr
    assert "does not answer" in run("migrate", code=1, MAILRAVEN_DATABASE__URL=away).stderr
