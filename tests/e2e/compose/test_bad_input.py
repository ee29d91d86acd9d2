"""What is missing or wrong is said by name, and what is away is waited for."""

import shutil
import smtplib

import pytest

from mailraven.testing.cluster import CommandFailed, until
from mailraven.testing.compose_project import ComposeProject
from mailraven.testing.traffic import subjects

pytestmark = [
    pytest.mark.compose,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
]

FILL = """
import contextlib
with contextlib.suppress(OSError), open("/data/filler", "wb", 0) as file:
    while file.write(bytes(4096)):
        pass
"""


def refused(project: ComposeProject, *arguments: str) -> str:
    with pytest.raises(CommandFailed) as caught:
        project(*arguments)
    return str(caught.value)


def test_what_a_newcomer_forgets(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(MAILRAVEN_HOSTNAME="")
    said = refused(project, "up", "--detach")
    assert "required variable MAILRAVEN_HOSTNAME is missing a value: set it in .env to the name of this server" in said
    project.set(MAILRAVEN_HOSTNAME="mail.example.test")
    said = refused(project, "up", "--detach")
    assert str(project.directory / "secrets") in said


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MAILRAVEN_HOSTNAME", "not a name", "expected a host name"),
        ("MAILRAVEN_SMTP__MAX_MESSAGE_SIZE", "many", "expected a size"),
        ("MAILRAVEN_SMPT__MAX_ERRORS", "5", "no such key; did you mean smtp?"),
        ("MAILRAVEN_DATABASE_URL", "postgresql://x/y", "did you mean MAILRAVEN_DATABASE__URL?"),
        ("MAILRAVEN_BLOBS__KIND", "tape", "'file' or 's3'"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_its_name(make_project, name: str, value: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    project = make_project()
    project("run", "--rm", "init")
    project.set(**{name: value})
    assert 'service "migrate" didn\'t complete successfully: exit 2' in refused(project, "up", "--detach")
    said = project.logs("migrate")
    assert name in said
    assert expected in said
    assert "Traceback" not in said
    project.remove()


def test_a_database_that_goes_away_is_waited_for(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(MAILRAVEN_HEALTH__INTERVAL="1s")
    project.start()
    project("stop", "postgres")
    health = ("exec", "-T", "server", "mailraven", "health")
    until(lambda: "database: " in refused_or_nothing(project, *health), "readiness says so")
    project("restart", "--no-deps", "server")
    until(lambda: project.logs("server").count("database postgres:5432 does not answer") > 2, "a line for each try")
    said = refused(project, *health)
    assert "starting: database postgres:5432 does not answer" in said
    assert "password" not in project.logs("server")
    project("start", "postgres")
    project.until_well("server")
    assert project(*health) == "serving\n"


def refused_or_nothing(project: ComposeProject, *arguments: str) -> str:
    try:
        project(*arguments)
    except CommandFailed as error:
        return str(error)
    return ""


def test_a_password_that_does_not_fit_is_the_databases_word(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project()
    project.start()
    for name in ("postgres-password", "database-url"):
        (project.directory / "secrets" / name).unlink()
    project("down")
    project("run", "--rm", "init")
    refused(project, "up", "--detach")
    said = project.logs("migrate")
    assert 'refuses the connection: password authentication failed for user "mailraven"' in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ("data:/data:ro", "Read-only file system: expected a directory that user 10001 may write to"),
        ("foreign:/data", "/data/blobs: Permission denied: expected a directory that user 10001 may write to"),
    ],
)
def test_a_volume_that_cannot_be_written_is_named(make_project, volume: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    project = make_project()
    (project.directory / "docker-compose.override.yml").write_text(
        "volumes:\n  foreign:\n    driver_opts: {type: tmpfs, device: tmpfs, o: 'uid=0,mode=700'}\n"
        f"services:\n  server:\n    volumes: ['{volume}']\n"
    )
    project("run", "--rm", "init")
    project("up", "--detach")
    until(lambda: expected in project.logs("server"), "the reason in the log")
    said = project.logs("server")
    assert "/data/blobs" in said
    assert "Traceback" not in said


def test_a_full_volume_is_named_and_mail_that_does_not_need_it_is_taken(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(MAILRAVEN_HEALTH__PROBE_INTERVAL="1s")
    (project.directory / "docker-compose.override.yml").write_text(
        "volumes:\n  small:\n    driver_opts: {type: tmpfs, device: tmpfs, o: 'uid=10001,size=64k'}\n"
        "services:\n  server:\n    volumes: ['small:/data']\n"
    )
    project.start()
    project.mailraven("domain", "add", "example.test")
    anna = project.add_person("anna@example.test")
    project("exec", "-T", "server", "/opt/mailraven/bin/python", "-c", FILL)
    with smtplib.SMTP(*project.address("SMTP"), timeout=30) as client:
        assert client.sendmail("x@elsewhere.example", [anna.address], "Subject: small\r\n\r\nbody\r\n") == {}
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("x@elsewhere.example", [anna.address], "Subject: large\r\n\r\n" + "body\r\n" * 20_000)
    assert caught.value.smtp_code == 451
    until(lambda: project.logs("server").count("/data/blobs/.incoming") >= 2, "health and delivery name the path")
    assert "No space left on device" in project.logs("server")
    assert subjects(project.address("IMAPS"), anna) == ["small"]
