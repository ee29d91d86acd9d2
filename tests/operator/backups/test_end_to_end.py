"""Resources on a real API server; their Jobs' commands really run, against a real database and a real S3 server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailraven.blobs.files import FileBlobStore
from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.mailstore import Mailstore, Upload
from mailraven.testing.command_line import run
from mailraven.testing.s3_server import S3Server

from .conftest import Backstage, condition

ANN = "ann@example.test"
SECRET = "test-secret-key"


@dataclass
class Mail:
    """An instance with an account, and a mailbox of three messages in it."""

    directory: Directory
    mailstore: Mailstore

    async def fill(self) -> None:
        await self.directory.create_domain("example.test")
        account = (await self.directory.create_account(ANN, "a long enough pass-phrase")).id
        await self.mailstore.create(account, "Projects")
        mailbox = await self.mailstore.mailbox(account, "Projects")
        uploads = [Upload(b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * 60_000)) for number in range(3)]
        await self.mailstore.append(account, mailbox.id, uploads)

    async def count(self, name: str) -> int:
        account = (await self.directory.get_account(ANN)).id
        return (await self.mailstore.mailbox(account, name)).messages

    async def lose(self) -> None:
        """The mailbox and all in it."""
        account = (await self.directory.get_account(ANN)).id
        await self.mailstore.delete(account, "Projects")


@pytest.fixture
async def mail(dsn: str, backstage: Backstage, tmp_path: Path) -> AsyncIterator[Mail]:
    blobs = FileBlobStore(tmp_path / "blobs")
    await blobs.open()
    database = await Database.connect(dsn)
    made = Mail(Directory(database), Mailstore(database, blobs))
    await made.fill()
    backstage.set_env(
        MAILRAVEN_DATABASE__URL=dsn.replace("$", "$$"), MAILRAVEN_BLOBS__DIRECTORY=str(tmp_path / "blobs")
    )
    yield made
    await made.mailstore.close()
    await made.directory.close()
    await database.close()
    await blobs.close()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


def bucket(s3: S3Server, secret: str = "s3-keys", **more: Any) -> dict[str, Any]:
    target = {"bucket": s3.bucket, "prefix": "mail", "endpoint": s3.endpoint, "secure": False}
    return {"s3": target | {"credentialsSecretRef": {"name": secret}} | more}


def job_of(backstage: Backstage, name: str) -> dict[str, Any]:
    return next(one for one in backstage.batch("jobs") if one["metadata"]["name"].startswith(name))


async def test_a_schedule_backs_up_to_s3_and_a_restore_brings_a_mailbox_back(
    backstage: Backstage, mail: Mail, s3: S3Server
) -> None:
    backstage.secret("s3-keys", access_key=s3.access_key, secret_key=SECRET)
    target = bucket(s3)
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=target, immediate=True)
    assert (await backstage.look("BackupSchedule", "nightly"))["active"] == 1
    done = backstage.player.run(job_of(backstage, "backup-nightly"))
    assert done.returncode == 0, done.stderr
    status = await backstage.look("BackupSchedule", "nightly")
    assert status["lastBackup"]["messages"] == 3
    assert status["lastBackup"]["bytes"] > 180_000
    assert condition(status, "LastBackupSucceeded")[0] == "True"
    await mail.lose()
    spec = {"target": target, "at": status["lastBackup"]["name"], "account": ANN, "mailbox": "Projects"}
    backstage.make("Restore", "back", **spec, mode="merge")
    await backstage.look("Restore", "back")
    done = backstage.player.run(job_of(backstage, "restore-back"))
    assert done.returncode == 0, done.stderr
    restored = await backstage.look("Restore", "back")
    assert (restored["phase"], restored["messages"], restored["accounts"]) == ("Succeeded", 3, 1)
    assert await mail.count("Projects") == 3
    shown = json.dumps([status, restored, *backstage.batch("jobs"), *backstage.batch("cronjobs")])
    assert SECRET not in shown + done.stdout + done.stderr


async def test_an_encrypted_backup_on_a_volume_and_back(backstage: Backstage, mail: Mail, tmp_path: Path) -> None:
    run("backup", "key", str(tmp_path / "key"))
    backstage.secret("backup-key", key=(tmp_path / "key").read_text())
    target = {"persistentVolumeClaim": {"claimName": "backups", "subPath": "mail"}}
    backstage.make("Backup", "now", target=target, encryption={"secretRef": {"name": "backup-key"}})
    await backstage.look("Backup", "now")
    assert backstage.player.run(job_of(backstage, "backup-now")).returncode == 0
    status = await backstage.look("Backup", "now")
    assert (status["phase"], status["messages"], status["verified"]) == ("Succeeded", 3, True)
    assert (backstage.player.claim("backups") / "mail" / "mailraven-backup").exists()
    for name, more, where in (("dry", {"dryRun": True}, ""), ("back", {}, status["backupName"][:8])):
        backstage.make("Restore", name, backupRef={"name": "now"}, account=ANN, mode="beside", **more)
        await backstage.look("Restore", name)
        assert backstage.player.run(job_of(backstage, f"restore-{name}")).returncode == 0
        restored = await backstage.look("Restore", name)
        assert (restored["phase"], restored["messages"]) == ("Succeeded", 3)
        assert restored["backupName"] == status["backupName"]
        if where:
            assert await mail.count(f"Restored {where[:4]}-{where[4:6]}-{where[6:]}/Projects") == 3
        else:
            assert "nothing was changed" in condition(restored)[2]
    # Without its key nobody reads it.
    backstage.make("Restore", "keyless", target=target, account=ANN, mode="merge")
    await backstage.look("Restore", "keyless")
    assert backstage.player.run(job_of(backstage, "restore-keyless")).returncode == 1
    refused = await backstage.look("Restore", "keyless")
    assert condition(refused)[:2] == ("False", "WrongKey")
    assert "encrypted" in refused["error"]


async def test_what_the_command_finds_wrong_is_the_reason(backstage: Backstage, mail: Mail, s3: S3Server) -> None:
    backstage.secret("wrong", access_key=s3.access_key, secret_key="another-secret-key")
    cases = {
        "whole": ("Restore", {"target": bucket(s3, prefix="none")}, 1, "TargetUnavailable"),
        "keys": ("Backup", {"target": bucket(s3, secret="wrong")}, 1, "TargetUnavailable"),
        "nothing": ("Restore", {"target": {"persistentVolumeClaim": {"claimName": "empty"}}}, 1, "NoRepository"),
        # No service of its own, and the server has none either.
        "unnamed": ("Backup", {"target": {"s3": {"bucket": "backups"}}}, 2, "ConfigError"),
    }
    backstage.secret("s3-keys", access_key=s3.access_key, secret_key="another-secret-key")
    for name, (kind, spec, code, reason) in cases.items():
        backstage.make(kind, name, **spec)
        await backstage.look(kind, name)
        done = backstage.player.run(job_of(backstage, f"{kind.lower()}-{name}"))
        assert done.returncode == code, (name, done.stderr)
        status = await backstage.look(kind, name)
        assert condition(status)[:2] == ("False", reason), name
        assert status["error"]
        assert "another-secret-key" not in json.dumps(status) + done.stderr
