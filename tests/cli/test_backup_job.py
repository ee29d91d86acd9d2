"""Backups and restores that a Job starts: what the result file says, and the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailraven.testing.command_line import ENVIRONMENT, MAILRAVEN, run, wait_for


@pytest.fixture
def job(dsn: str, tmp_path: Path) -> dict[str, str]:
    """Variables as a Job of Kubernetes has them."""
    return {"MAILRAVEN_DATABASE__URL": dsn, "MAILRAVEN_BLOBS__DIRECTORY": str(tmp_path / "blobs")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """As Kubernetes makes the termination log: it is there, and empty."""
    made = tmp_path / "termination-log"
    made.touch()
    return made


def read(file: Path) -> dict[str, Any]:
    text = file.read_text()
    assert len(text.encode()) <= 4096
    return json.loads(text)


def test_a_backup_and_its_restore_say_what_they_did(job: dict[str, str], file: Path, tmp_path: Path) -> None:
    target, inode = str(tmp_path / "target"), file.stat().st_ino
    run("backup", "create", "-t", target, "--result-file", str(file), **job)
    made = read(file)
    assert (made["ok"], made["verified"]) == (True, True)
    assert (made["messages"], made["bytes"], made["removed"]) == (0, 0, 0)
    assert made["added_bytes"] > 0
    # What is mounted cannot be replaced.
    assert file.stat().st_ino == inode
    run("restore", "-t", target, "--at", made["name"], "--dry-run", "--result-file", str(file), **job)
    restored = read(file)
    assert (restored["ok"], restored["backup"], restored["dry_run"]) == (True, made["name"], True)
    assert restored["messages"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason", "text"),
    [
        (("restore", "-t", "TMP/none"), 1, "NoRepository", "not a directory"),
        (("restore", "-t", "TMP/none", "--mailbox", "INBOX"), 2, "Usage", "--account"),
        (("backup", "create", "-t", "gs://x"), 1, "BackupError", "s3://BUCKET/PREFIX"),
        (("backup", "create", "-t", "s3://bucket"), 2, "ConfigError", "backup.s3.endpoint"),
        (("backup", "create", "-t", "TMP/target", "--set", "backup.keep_days=x"), 2, "ConfigError", "backup.keep_days"),
        (("backup", "create", "-t", "TMP/target", "--key-file", "TMP/none"), 1, "WrongKey", "key file"),
        (("backup", "create", "-t", "TMP/termination-log/x"), 1, "TargetUnusable", "termination-log"),
        (("restore", "-t", "TMP/empty"), 1, "NoRepository", "there is no backup in"),
    ],
)
def test_a_failure_has_a_name_and_a_text(
    arguments: tuple[str, ...], code: int, reason: str, text: str, job: dict[str, str], file: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    own = [one.replace("TMP", str(tmp_path)) for one in arguments]
    run(*own, "--result-file", str(file), code=code, **job)
    found = read(file)
    assert (found["ok"], found["reason"]) == (False, reason)
    assert text in found["error"]


def test_a_database_that_is_away_is_worth_another_try(file: Path, tmp_path: Path) -> None:
    away = {"MAILRAVEN_DATABASE__URL": "postgresql://mailraven:hidden-word@127.0.0.1:9/none"}
    run("backup", "create", "-t", str(tmp_path / "target"), "--result-file", str(file), code=75, **away)
    assert read(file)["reason"] == "DatabaseUnavailable"
    assert "hidden-word" not in file.read_text()


def test_a_result_file_that_cannot_be_written_fails_nothing(job: dict[str, str], tmp_path: Path) -> None:
    done = run("backup", "create", "-t", str(tmp_path / "t"), "--result-file", str(tmp_path / "no" / "file"), **job)
    assert "No such file" in done.stderr


async def test_a_sigterm_leaves_no_lock(dsn: str, job: dict[str, str], file: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        await connection.execute("LOCK TABLE domain IN ACCESS EXCLUSIVE MODE")  # the run cannot end before
        process = subprocess.Popen(
            [MAILRAVEN, "backup", "create", "-t", str(target), "--result-file", str(file)],
            env={**ENVIRONMENT, **job},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: list(target.glob("locks/*")), "a lock")
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(30) == 143
        finally:
            process.kill()
            process.wait()
    assert list(target.glob("locks/*")) == []
    assert read(file)["reason"] == "Ended"
    run_of = await connection.fetchrow("SELECT state, error FROM backup_run")
    assert tuple(run_of) == ("failed", "it was ended from outside")
    await connection.close()
