"""`mailraven up`: what it opens, prints and writes."""

import imaplib
import json
import os
import re
import shutil
import smtplib
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from mailraven.testing.command_line import Instance, get, lines_of, run, started, wait_for

TLS_FILES = {"ca-key.pem", "key.pem"}


def trusted(up: Instance) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=up.ready["ca_file"])


def test_the_ready_file_has_every_listener_and_the_first_users(up: Instance) -> None:
    assert set(up.ready) == {
        "pid", "smtp", "submission", "submissions", "imap", "imaps", "http", "admin_token", "ca_file", "users"
    }  # fmt: skip
    assert up.ready["pid"] == up.process.pid
    assert [user["address"] for user in up.ready["users"]] == ["alice@example.test", "bob@example.test"]
    assert all(len(user["password"]) == 19 for user in up.ready["users"])
    assert stat.S_IMODE(up.ready_file.stat().st_mode) == 0o600
    for name in ("smtp", "submission", "submissions", "imap", "imaps"):
        with socket.create_connection((up.ready[name]["host"], up.ready[name]["port"]), timeout=10):
            pass


def test_mail_goes_in_by_smtp_and_out_by_imap(up: Instance) -> None:
    alice, bob = up.ready["users"]
    context = trusted(up)
    with smtplib.SMTP(up.ready["submission"]["host"], up.ready["submission"]["port"], timeout=30) as smtp:
        smtp.starttls(context=context)
        smtp.login(alice["address"], alice["password"])
        text = f"From: {alice['address']}\r\nTo: {bob['address']}\r\nSubject: hello\r\n\r\nfirst\r\n"
        smtp.sendmail(alice["address"], [bob["address"]], text)
    with imaplib.IMAP4_SSL(up.ready["imaps"]["host"], up.ready["imaps"]["port"], ssl_context=context) as imap:
        imap.login(bob["address"], bob["password"])
        imap.select("INBOX", readonly=True)
        _, [found] = imap.search(None, "SUBJECT", "hello")
        _, items = imap.fetch(found.split()[-1], "(BODY[])")
    [body] = [item[1] for item in items if isinstance(item, tuple)]
    assert body.endswith(text.encode())


def test_secrets_and_the_data_directory_are_private(up: Instance) -> None:
    assert stat.S_IMODE(up.data.stat().st_mode) == 0o700
    for path in [up.data / "secrets" / "admin-token", *(up.data / "tls" / name for name in TLS_FILES)]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_summary_shows_addresses_and_passwords(up: Instance) -> None:
    text = up.output.read_text()
    assert "MailRaven" in text
    for name in ("smtp", "submission", "submissions", "imap", "imaps"):
        assert f"{up.ready[name]['host']}:{up.ready[name]['port']}" in text
    for user in up.ready["users"]:
        assert user["password"] in text
    assert "\x1b" not in text  # no terminal


def test_no_secret_is_in_the_log(up: Instance) -> None:
    log = up.log.read_text()
    assert up.ready["admin_token"] not in log
    assert not any(user["password"] in log for user in up.ready["users"])


def test_every_log_line_is_json_with_the_four_keys(up: Instance) -> None:
    lines = up.log.read_text().splitlines()
    assert lines
    for entry in [json.loads(line) for line in lines]:
        assert {"timestamp", "level", "component", "message"} <= set(entry)
    assert len(lines_of(up.log)) == len(lines)


def test_no_secret_is_in_the_arguments_or_the_environment_of_a_worker(up: Instance) -> None:
    for pid in up.workers():
        text = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        assert up.ready["admin_token"].encode() not in text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
def test_the_operations_endpoints_answer(up: Instance, path: str) -> None:
    assert wait_for(lambda: get(up.ops + path)[0] == 200, f"{path} to be 200")


def test_health_names_every_component(up: Instance) -> None:
    wait_for(lambda: get(up.ops + "/health")[0] == 200, "all components to be checked")
    health = json.loads(get(up.ops + "/health")[1])
    assert health["status"] in ("healthy", "degraded")  # the disk of a test machine may be nearly full
    assert set(health["components"]) == {"database", "blobs", "disk", "queue", "smtp", "submission", "imap"}
    for name in ("database", "blobs", "smtp", "submission", "imap"):
        assert health["components"][name] == {"status": "healthy"}


def test_metrics_are_the_sum_of_all_workers(up: Instance) -> None:
    def logins() -> float:
        text = get(up.ops + "/metrics")[1].decode()
        found = re.search(r'mailraven_auth_attempts_total\{protocol="http",result="ok"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = logins()
    for _ in range(20):  # the kernel spreads the connections over the workers
        assert get(up.ready["http"]["url"] + "/api/v1/version", up.ready["admin_token"])[0] == 200
    assert {logins() for _ in range(10)} == {before + 20}


def test_the_api_wants_the_token(up: Instance) -> None:
    url = up.ready["http"]["url"]
    assert get(url + "/api/v1/version")[0] == 401
    assert get(url + "/api/v1/version", "mr_" + "A" * 43)[0] == 401
    domains = json.loads(get(url + "/api/v1/domains", up.ready["admin_token"])[1])
    assert "example.test" in [domain["name"] for domain in domains["items"]]
    assert get(url + "/health")[0] == 200


def test_a_second_start_on_the_same_directory_says_so(up: Instance, tmp_path: Path) -> None:
    done = run("up", "--data", str(up.data), "--port-base", "0", "--ready-file", str(tmp_path / "r"), code=1)
    assert f"{up.data} is in use by another MailRaven (process {up.process.pid})" in done.stderr
    assert not (tmp_path / "r").exists()
    assert get(up.ops + "/livez")[0] == 200


def test_a_port_in_use_is_named(up: Instance, tmp_path: Path) -> None:
    port = up.ready["imap"]["port"]
    done = run("up", "--data", str(tmp_path / "d"), "--port-base", "0", "--set", f"listeners.imap.port={port}", code=1)
    assert f"cannot listen on 127.0.0.1 port {port} (imap): Address already in use" in done.stderr


def test_domains_and_users_can_be_added_while_it_runs(up: Instance, tmp_path: Path) -> None:
    data = ("--data", str(up.data))
    assert run("domain", "add", "Example.ORG", *data).stdout == "added example.org\n"
    password = tmp_path / "password"
    password.write_text("correct horse battery\n")
    run("user", "add", "ann@example.org", "--password-file", str(password), *data)
    login(up, "ann@example.org", "correct horse battery")
    generated = run("user", "passwd", "ann@example.org", "--generate", *data).stdout.split()[-1]
    login(up, "ann@example.org", generated)
    assert "ann@example.org\t0" in run("user", "list", "example.org", *data).stdout
    token = run("token", "add", "monitoring", *data).stdout.strip()
    assert get(up.ready["http"]["url"] + "/api/v1/version", token)[0] == 200
    run("token", "delete", "monitoring", *data)
    assert get(up.ready["http"]["url"] + "/api/v1/version", token)[0] == 401
    assert "exists" in run("domain", "add", "example.org", *data, code=1).stderr


def login(up: Instance, address: str, password: str) -> None:
    with imaplib.IMAP4_SSL(up.ready["imaps"]["host"], up.ready["imaps"]["port"], ssl_context=trusted(up)) as imap:
        assert imap.login(address, password)[0] == "OK"


def test_named_users_and_settings_of_the_data_directory(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "mailraven.yaml").write_text("hostname: mx.example.net\nsmtp: {max_message_size: 1MiB}\n")
    arguments = ("--user", "Ann@Example.NET", "--user", "ben@example.org", "--workers", "1", "--quiet")
    with started(tmp_path, *arguments) as instance:
        assert {user["address"] for user in instance.ready["users"]} == {"ann@example.net", "ben@example.org"}
        assert instance.output.read_text() == ""
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        with smtplib.SMTP(instance.ready["smtp"]["host"], instance.ready["smtp"]["port"], timeout=30) as smtp:
            assert smtp.ehlo()[0] == 250
            assert smtp.esmtp_features["size"] == str(2**20)
        with ssl.create_default_context(cafile=instance.ready["ca_file"]).wrap_socket(
            socket.create_connection(("127.0.0.1", instance.ready["imaps"]["port"]), timeout=20),
            server_hostname="mx.example.net",
        ) as wrapped:
            assert wrapped.version() == "TLSv1.3"
    assert instance.process.returncode == 0
    assert not instance.ready_file.exists()


def test_a_wrong_address_or_directory_is_named(tmp_path: Path) -> None:
    done = run("up", "--data", str(tmp_path / "d"), "--user", "not an address", "--domain", "-", code=2)
    assert "mailraven: --user 'not an address': " in done.stderr
    assert "mailraven: --domain '-': " in done.stderr
    (tmp_path / "file").write_text("")
    done = run("up", "--data", str(tmp_path / "file"), "--port-base", "0", code=1)
    assert f"data directory {tmp_path / 'file'}" in done.stderr
    done = run("up", "--data", str(tmp_path / "d2"), "--port-base", "0", "--host", "192.0.2.1", code=1)
    assert "cannot listen on 192.0.2.1" in done.stderr


# A user who owns nothing, but may walk through directories (such as /root) where the interpreter may be.
UNPRIVILEGED = [
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
]  # fmt: skip


def can_become_unprivileged() -> bool:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return False
    return subprocess.run([*UNPRIVILEGED, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_become_unprivileged(), reason="needs root and setpriv; else all other tests run so anyway")
def test_root_may_start_it_as_an_unprivileged_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with started(tmp_path, "--workers", "1", prefix=UNPRIVILEGED) as instance:
        status = Path(f"/proc/{instance.process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert (instance.data / "postgres").stat().st_uid == 65534
        login(instance, **{key: instance.ready["users"][0][key] for key in ("address", "password")})
    assert instance.process.returncode == 0
