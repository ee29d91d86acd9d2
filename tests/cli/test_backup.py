"""Backup, restore and verify as an administrator runs them, compared message by message over IMAP."""

from __future__ import annotations

import imaplib
import json
import shutil
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailraven.testing.command_line import Instance, run, started

ALICE = "alice@example.test"
Mailboxes = dict[str, tuple[str, list[tuple[bytes, ...]]]]
Saved = tuple[Instance, Path, str, Mailboxes]


def mailboxes(instance: Instance, password: str) -> Mailboxes:
    """By name: UIDVALIDITY, and each message with UID, flags, date and octets."""
    host, port = instance.ready["imap"]["host"], int(instance.ready["imap"]["port"])
    client = imaplib.IMAP4(host, port)
    client.starttls(_context())
    client.login(ALICE, password)
    found = {}
    for line in client.list()[1]:
        assert isinstance(line, bytes)
        name = line.rsplit(b' "/" ', 1)[1].decode().strip('"')
        client.select(f'"{name}"', readonly=True)
        validity = str(client.response("UIDVALIDITY")[1])
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        # \\Recent is of a session, not of a message (RFC 3501 §2.3.2).
        messages = [(item[0].replace(b"\\Recent", b""), item[1]) for item in data if isinstance(item, tuple)]
        found[name] = (validity, messages)
    client.logout()
    return found


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def send(instance: Instance, count: int, start: int = 0) -> None:
    with smtplib.SMTP(instance.ready["smtp"]["host"], int(instance.ready["smtp"]["port"])) as client:
        for number in range(start, start + count):
            size = 60_000 if number % 5 == 0 else 500
            body = "\r\n".join([f"{number} " + "x" * 70] * (size // 72))
            client.sendmail(
                "a@b.test", [ALICE], f"Message-ID: <{number}@b.test>\r\nSubject: {number}\r\n\r\n{body}\r\n"
            )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """A running server with mail, a backup of it made meanwhile, and alice's password."""
    home = tmp_path_factory.mktemp("saved")
    with started(home, "--workers", "1") as instance:
        password = next(one["password"] for one in instance.ready["users"] if one["address"] == ALICE)
        send(instance, 12)
        run("backup", "--target", str(home / "other"), "--data", str(instance.data))
        made = run("backup", "create", "-t", str(home / "target"), "--data", str(instance.data), "-o", "json")
        assert json.loads(made.stdout)["tables"]["message"] == 12
        yield instance, home / "target", password, mailboxes(instance, password)


def test_a_whole_instance_comes_back(saved: Saved, tmp_path: Path) -> None:
    instance, target, password, before = saved
    fresh = tmp_path / "data"
    (fresh / "secrets").mkdir(parents=True)
    shutil.copy(instance.data / "secrets" / "master-key", fresh / "secrets" / "master-key")
    # Other tests add backups of a later state.
    run("restore", "-t", str(target), "--data", str(fresh), "--at", _first(target))
    again = run("restore", "-t", str(target), "--data", str(fresh), code=1)
    assert "not empty" in again.stderr
    run("verify", "data", "--deep", "--data", str(fresh))
    with started(tmp_path, "--workers", "1") as other:
        assert mailboxes(other, password) == before
        assert sum(len(messages) for _, messages in before.values()) == 12


def test_without_the_master_key_it_says_what_is_missing(saved: Saved, tmp_path: Path) -> None:
    _, target, _, _ = saved
    refused = run("restore", "-t", str(target), "--data", str(tmp_path / "data"), code=1)
    assert "secrets.key_file" in refused.stderr


def test_deleted_mail_comes_back_into_a_running_server(saved: Saved) -> None:
    instance, target, password, _ = saved
    data = str(instance.data)
    before = mailboxes(instance, password)
    lost = before["INBOX"][1][:3]
    host, port = instance.ready["imap"]["host"], int(instance.ready["imap"]["port"])
    client = imaplib.IMAP4(host, port)
    client.starttls(_context())
    client.login(ALICE, password)
    client.select("INBOX")
    client.store("1:3", "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()
    refused = run("restore", "-t", str(target), "--data", data, "--account", ALICE, code=1)
    assert "--beside" in refused.stderr
    dry = run("restore", "-t", str(target), "--data", data, "--account", ALICE, "--beside", "--dry-run", "-o", "json")
    assert json.loads(dry.stdout)["messages"] >= 12
    options = ("--account", ALICE, "--mailbox", "INBOX", "--merge")
    done = run("restore", "-t", str(target), "--data", data, *options, "--at", _first(target), "-o", "json")
    assert (json.loads(done.stdout)["messages"], json.loads(done.stdout)["present"]) == (3, 9)
    after = mailboxes(instance, password)["INBOX"][1]
    assert [octets for _, octets in after[-3:]] == [octets for _, octets in lost]


def _first(target: Path) -> str:
    return str(json.loads(run("backup", "list", "-t", str(target), "-o", "json").stdout)[0]["name"])


def test_the_next_backup_adds_what_is_new(saved: Saved) -> None:
    instance, target, _, _ = saved
    data = str(instance.data)
    send(instance, 1, start=101)
    added = json.loads(run("backup", "create", "-t", str(target), "--data", data, "-o", "json").stdout)["added_octets"]
    assert 0 < added < 40_000
    listed = json.loads(run("backup", "list", "-t", str(target), "-o", "json").stdout)
    assert len(listed) >= 2
    assert run("backup", "verify", "--all", "-t", str(target)).stdout.count("\n") == len(listed)
    pruned = run("backup", "prune", "-t", str(target), "--dry-run", "--set", "backup.keep_days=0", "-o", "json")
    assert len(json.loads(pruned.stdout)["removed"]) == len(listed) - 1


def test_encrypted(saved: Saved, tmp_path: Path) -> None:
    instance, _, _, _ = saved
    key, target = str(tmp_path / "key"), str(tmp_path / "target")
    run("backup", "key", key)
    assert Path(key).stat().st_mode & 0o777 == 0o600
    assert "exists" in run("backup", "key", key, code=1).stderr
    run("backup", "create", "-t", target, "--data", str(instance.data), "--key-file", key)
    assert "encrypted" in run("backup", "list", "-t", target, code=1).stderr
    run("backup", "verify", "-t", target, "--key-file", key)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("backup", "list"), 1, "no target"),
        (("backup", "list", "-t", "gs://x"), 1, "s3://BUCKET/PREFIX"),
        (("backup", "list", "-t", "s3://Bad_Bucket!"), 1, "s3://BUCKET"),
        (("backup", "list", "-t", "nowhere"), 1, "not a directory"),
        (("restore", "-t", "x", "--mailbox", "INBOX"), 2, "--domain or an --account"),
        (("restore", "-t", "x", "--account", "a@b.test", "--beside", "--merge"), 2, "not both"),
        (("restore", "-t", "x", "--account", "a@b.test", "--since", "yesterday"), 2, "--since"),
        (("verify", "data", "--data", "nowhere"), 1, "no database"),
    ],
)
def test_what_is_said_wrongly(arguments: tuple[str, ...], code: int, text: str) -> None:
    assert text in run(*arguments, code=code).stderr


def test_a_target_in_the_blob_store_is_refused(saved: Saved) -> None:
    instance, _, _, _ = saved
    inside = str(instance.data / "blobs" / "backup")
    refused = run("backup", "create", "-t", inside, "--data", str(instance.data), code=1)
    assert "choose another target" in refused.stderr


def test_verify_system_of_a_running_server(saved: Saved) -> None:
    instance, _, _, _ = saved
    done = run("verify", "system", "--data", str(instance.data), "-o", "json", code=1)
    findings = {one["check"]: one["severity"] for one in json.loads(done.stdout)["findings"]}
    assert findings["versions"] == findings["durability"] == findings["clock"] == findings["queue"] == "ok"
    assert findings["dns example.test"] in ("problem", "unknown")
