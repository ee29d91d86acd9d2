"""swaks submits, curl reads and uploads, neomutt opens the INBOX: against a running `mailraven up`."""

import os
import pty
import re
import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mailraven.testing.mail_clients import CLIENT_SECONDS, HOST, Mailserver, run_client

pytestmark = pytest.mark.clients

swaks = pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
neomutt = pytest.mark.skipif(shutil.which("neomutt") is None, reason="neomutt is not installed")


def read_all(server: Mailserver, user: int, word: str, mailbox: str = "INBOX") -> list[bytes]:
    """Whole messages whose subject has `word`, read by curl."""
    address, password = server.user(user)
    base = [
        "curl", "--silent", "--show-error", "--cacert", server.ca_file, "--user", f"{address}:{password}",
        f"imaps://{HOST}:{server.port('imaps')}/{mailbox}",
    ]  # fmt: skip
    answer = run_client([*base, "--request", f'UID SEARCH SUBJECT "{word}"']).decode()
    uids = re.findall(r"\d+", answer.partition("SEARCH")[2])
    return [run_client([*base[:-1], f"{base[-1]};UID={uid}"]) for uid in uids]


def swaks_command(server: Mailserver, listener: str, sender: str, recipient: str, *options: str) -> list[str]:
    return [
        "swaks", "--server", HOST, "--port", str(server.port(listener)), "--helo", "client.example.org",
        "--from", sender, "--to", recipient, "--timeout", "60", *options,
    ]  # fmt: skip


@swaks
@curl
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_swaks_submits_with_tls_and_auth_and_curl_reads_it(server: Mailserver, listener: str, mechanism: str) -> None:
    address, password = server.user(0)
    recipient, _ = server.user(1)
    word = f"swaks-{listener}-{mechanism}"
    tls = {"submission": "--tls", "submissions": "--tls-on-connect"}[listener]
    run_client(
        swaks_command(
            server, listener, address, recipient, tls, "--tls-verify", "--tls-ca-path", server.ca_file,
            "--auth", mechanism, "--auth-user", address, "--auth-password", password,
            "--header", f"Subject: {word}", "--body", "first line\n.\n..dots\nlast line",
        )
    )  # fmt: skip
    [message] = read_all(server, 1, word)
    head, _, body = message.partition(b"\r\n\r\n")
    assert body.rstrip() == b"first line\r\n.\r\n..dots\r\nlast line"
    assert f"Return-Path: <{address}>".encode() in head
    assert head.count(b"\nReceived: ") + head.startswith(b"Received: ") == 1


@swaks
@curl
def test_swaks_delivers_as_a_stranger_to_a_local_user_only(server: Mailserver) -> None:
    recipient, _ = server.user(1)
    run_client(
        swaks_command(server, "smtp", "stranger@elsewhere.example", recipient, "--header", "Subject: from outside")
    )
    assert len(read_all(server, 1, "from outside")) == 1
    relayed = swaks_command(server, "smtp", "stranger@elsewhere.example", "victim@elsewhere.example")
    run_client(relayed, codes=(24,))  # swaks: no recipient was accepted


@swaks
def test_swaks_gets_nowhere_without_tls_or_with_a_wrong_password(server: Mailserver) -> None:
    address, password = server.user(0)
    login = ("--auth", "PLAIN", "--auth-user", address, "--auth-password")
    plain = swaks_command(server, "submission", address, address, *login, password)
    run_client(plain, codes=(28,))  # swaks: AUTH is not offered
    run_client([*swaks_command(server, "submission", address, address, *login, password + "x"), "--tls"], codes=(28,))
    run_client([*swaks_command(server, "submission", address, address), "--tls"], codes=(23,))  # MAIL is refused


@curl
def test_curl_uploads_lists_and_reads(server: Mailserver, tmp_path: Path) -> None:
    address, password = server.user(0)
    content = b"From: a@example.org\r\nSubject: by curl\r\n\r\n" + bytes(range(160, 256)) + b"\r\n"
    (tmp_path / "mail").write_bytes(content)
    base = ["curl", "--silent", "--show-error", "--cacert", server.ca_file, "--user", f"{address}:{password}"]
    url = f"imaps://{HOST}:{server.port('imaps')}"
    listed = run_client([*base, f"{url}/"]).decode()
    for name in ("INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive"):
        assert re.search(rf'"?{name}"?\r?\n', listed)
    run_client([*base, "--upload-file", tmp_path / "mail", f"{url}/Drafts"])
    assert read_all(server, 0, "by curl", "Drafts") == [content]


@curl
def test_curl_does_not_get_in_without_tls_or_with_a_wrong_password(server: Mailserver) -> None:
    address, password = server.user(0)
    base = ["curl", "--silent", "--cacert", server.ca_file, "--user"]
    plain, secure = (f"{scheme}://{HOST}:{server.port(scheme)}/INBOX" for scheme in ("imap", "imaps"))
    run_client([*base, f"{address}:{password}", plain, "--request", "NOOP"], codes=(67,))  # curl: login denied
    run_client([*base, f"{address}:{password}x", secure, "--request", "NOOP"], codes=(67,))
    run_client([*base, f"{address}:{password}", "--ssl-reqd", plain, "--request", "NOOP"])


@neomutt
@swaks
def test_neomutt_opens_the_inbox_and_saves_a_message(server: Mailserver, tmp_path: Path) -> None:
    address, password = server.user(1)
    subject = "for neomutt"
    run_client(swaks_command(server, "smtp", "stranger@elsewhere.example", address, "--header", f"Subject: {subject}",
                             "--body", "a line for the screen"))  # fmt: skip
    settings = {
        "folder": f"imaps://{HOST}:{server.port('imaps')}/",
        "spoolfile": "+INBOX",
        "imap_user": address,
        "imap_pass": password,
        "ssl_ca_certificates_file": server.ca_file,
        "certificate_file": str(tmp_path / "none"),
        "record": "",
        "mbox_type": "mbox",
        "mailcap_path": str(tmp_path / "none"),
    }
    lines = [f'set {name}="{value}"' for name, value in settings.items()]
    lines += [
        "set ssl_force_tls=yes",
        "set confirmappend=no",
        "set confirmcreate=no",
        "set quit=yes",
        "set sleep_time=0",
    ]
    lines += ["set imap_check_subscribed=yes", "set mail_check=60", "unset imap_idle"]
    saved = tmp_path / "saved"
    keys = f"<search>~s '{subject}'<enter><copy-message><kill-line>{saved}<enter><quit>"
    lines.append(f'push "{keys}"')
    (tmp_path / "rc").write_text("\n".join(lines) + "\n")
    screen = on_terminal(["neomutt", "-n", "-F", str(tmp_path / "rc")], tmp_path)
    assert saved.exists(), screen[-2000:].decode(errors="replace")
    assert b"a line for the screen" in saved.read_bytes()
    assert subject.encode() in screen


def on_terminal(command: list[str], home: Path) -> bytes:
    """Run a program that wants a terminal; what it drew."""
    master, slave = pty.openpty()
    drawn = bytearray()

    def draw() -> None:
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            while chunk := os.read(master, 65536):
                drawn.extend(chunk)

    environment = {
        **os.environ,
        "TERM": "xterm",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "LINES": "40",
        "COLUMNS": "120",
    }
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    reader = threading.Thread(target=draw, daemon=True)
    reader.start()
    try:
        process.wait(CLIENT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reader.join(5)
    os.close(master)
    return bytes(drawn)
