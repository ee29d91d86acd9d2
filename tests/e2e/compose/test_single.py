"""All roles in one container: mail goes in and out, and survives whatever happens to the containers."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailraven.testing.cluster import until
from mailraven.testing.command_line import get
from mailraven.testing.compose_project import ComposeProject
from mailraven.testing.mail_clients import run_client
from mailraven.testing.traffic import Person, Traffic, open_mailbox, subjects

pytestmark = [
    pytest.mark.compose,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
    pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed"),
]
SERVICES = ("postgres", "server")
LARGE = 50_000  # octets: above blobs.inline_max, so in the volume of blobs


@pytest.fixture(scope="module")
def project(make_project) -> Iterator[ComposeProject]:  # type: ignore[no-untyped-def]
    project = make_project(MAILRAVEN_WORKERS="2")
    project.start()
    project.mailraven("domain", "add", "example.test")
    return project


@pytest.fixture(scope="module")
def people(project: ComposeProject) -> list[Person]:
    found = [project.add_person(f"{name}@example.test") for name in ("anna", "ben")]
    project.lift_limits(*found)
    return found


@pytest.fixture
def anna(project: ComposeProject, people: list[Person]) -> Person:
    project.until_well("server")
    return people[0]


def swaks(project: ComposeProject, recipient: Person, subject: str, *, octets: int = 100) -> None:
    """From outside."""
    body = "\n".join(["x" * 70] * (octets // 70))
    host, port = project.address("SMTP")
    envelope = ["--from", "sender@elsewhere.example", "--to", recipient.address]
    message = ["--header", f"Subject: {subject}", "--body", body]
    run_client(["swaks", "--server", f"{host}:{port}", "--tls", *envelope, *message])


def api(project: ComposeProject, path: str) -> Any:
    host, port = project.address("HTTP")
    status, body = get(f"http://{host}:{port}/api/v1/{path}", project.admin_token)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.skipif(shutil.which("mbsync") is None, reason="mbsync (Debian: isync) is not installed")
def test_swaks_sends_and_mbsync_and_the_api_read(
    project: ComposeProject, anna: Person, people: list[Person], certificates: Path, tmp_path: Path
) -> None:
    swaks(project, anna, "from-outside")
    swaks(project, anna, "large-one", octets=LARGE)
    ben = people[1]
    host, port = project.address("SUBMISSION")
    login = ["--auth", "PLAIN", "--auth-user", ben.address, "--auth-password", ben.password]
    envelope = ["--from", ben.address, "--to", anna.address]
    run_client(["swaks", "--server", f"{host}:{port}", "--tls", *login, *envelope, "--header", "Subject: submitted"])
    wanted = {"from-outside", "large-one", "submitted"}
    for folder in ("mail", "state"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mbsyncrc").write_text(
        f"IMAPStore server\nHost localhost\nPort {project.ports['IMAPS']}\nUser {anna.address}\nPass {anna.password}\n"
        f"SSLType IMAPS\nCertificateFile {certificates}/ca.pem\n\n"
        f"MaildirStore local\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\nSubFolders Verbatim\n\n"
        f"Channel all\nFar :server:\nNear :local:\nPatterns INBOX\nCreate Near\nSyncState {tmp_path}/state/\n"
    )
    run_client(["mbsync", "-q", "-c", tmp_path / "mbsyncrc", "all"])
    pulled = [path.read_bytes() for path in (tmp_path / "mail/INBOX").rglob("*") if path.is_file()]
    assert wanted <= {subject for subject in wanted for mail in pulled if f"Subject: {subject}\n".encode() in mail}
    assert max(len(mail) for mail in pulled) > LARGE
    boxes = api(project, f"accounts/{anna.address}/mailboxes")["items"]
    inbox = next(box["id"] for box in boxes if box["name"] == "INBOX")
    listed = api(project, f"accounts/{anna.address}/mailboxes/{inbox}/messages")["items"]
    assert wanted <= {message["subject"] for message in listed}


def test_the_command_line_has_all_it_needs(project: ComposeProject, anna: Person) -> None:
    assert "example.test" in project.mailraven("domain", "list")
    assert json.loads(project.mailraven("status", "-o", "json"))["health"]["status"] == "healthy"
    assert "the schema is current" in project.mailraven("migrate")
    swaks(project, anna, "to-be-kept", octets=LARGE)
    assert "read back" in project.mailraven("backup", "create")
    assert project.mailraven("backup", "list").count("\n") >= 1
    assert "PROBLEM" not in project.mailraven("verify", "data", "--deep")
    assert "_dmarc.example.test" in project.mailraven("dns", "records", "example.test", "--format", "zone")
    assert project("exec", "-T", "server", "mailraven", "health") == "serving\n"


def test_verify_system_finds_the_listeners(project: ComposeProject, anna: Person) -> None:
    done = subprocess.run(
        ["docker", "compose", "run", "--rm", "-T", "mailraven", "verify", "system"],
        cwd=project.directory, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    for listener in ("mx", "submission", "submissions", "imap", "imaps"):
        assert f"port {listener} " in done.stdout
    assert "PROBLEM  port" not in done.stdout
    assert anna.address


def test_containers_have_no_rights_they_do_not_need(project: ComposeProject) -> None:
    for service in SERVICES:
        found = project.inspect(service)
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "10"}}, service
        assert host["Memory"] == 1 << 30, service
        assert host["PidsLimit"] > 0, service
        assert not found["Config"]["User"].startswith(("root", "0")), service
        shown = json.dumps(found)
        for path in (project.directory / "secrets").iterdir():
            assert path.read_text().strip() not in shown, path.name
    assert project.inspect("server")["Config"]["User"] == "10001:10001"


def test_mail_is_there_after_a_restart_of_everything(project: ComposeProject, anna: Person) -> None:
    swaks(project, anna, "before-restart", octets=LARGE)
    before = subjects(project.address("IMAPS"), anna)
    project("restart")
    project.until_well(*SERVICES)
    assert subjects(project.address("IMAPS"), anna) == before


def test_mail_is_there_after_down_and_up(project: ComposeProject, anna: Person) -> None:
    swaks(project, anna, "before-down", octets=LARGE)
    with open_mailbox(project.address("IMAPS"), anna) as client:
        before = client.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY)")
    listed = subjects(project.address("IMAPS"), anna)
    project("down")
    assert project.container("server") == ""
    project.start()  # init makes nothing new: the same secrets open what is there
    assert subjects(project.address("IMAPS"), anna) == listed
    with open_mailbox(project.address("IMAPS"), anna) as client:
        assert client.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY)") == before
    assert "PROBLEM" not in project.mailraven("verify", "data", "--deep")


def test_no_acknowledged_message_is_lost_or_doubled_by_sigkill(project: ComposeProject, people: list[Person]) -> None:
    project.until_well(*SERVICES)
    outside = Traffic(project.address("SMTP"), project.address("IMAPS"), people, name="killed", senders=4, pause=0)
    large = Traffic(
        project.address("SMTP"), project.address("IMAPS"), people, name="blobs", senders=2, pause=0, size=LARGE
    )
    submitted = Traffic(
        project.address("SUBMISSION"), project.address("IMAPS"), people, name="submitted", submitter=people[0]
    )
    flows = (outside, large, submitted)
    with outside, large, submitted:
        for victim in ("server", "postgres", "server"):
            more = outside.acknowledged() + 50, large.acknowledged() + 20
            until(
                lambda more=more: outside.acknowledged() >= more[0] and large.acknowledged() >= more[1],
                f"deliveries before the end of {victim}",
                seconds=120,
            )
            project.kill(victim)
        more = outside.acknowledged() + 50, large.acknowledged() + 20
        until(lambda: outside.acknowledged() >= more[0] and large.acknowledged() >= more[1], "deliveries", seconds=120)
    for flow in flows:
        result = flow.settle()
        assert not result.missing, result
        assert not result.duplicated, result
        assert result.reconnects["send_all"], result
    assert "PROBLEM" not in project.mailraven("verify", "data", "--deep")
