"""The data directory: modes, lock, private files."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailraven.app.data_directory import DataDirectory, write_private
from mailraven.app.errors import StartError


def test_it_is_made_private(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "a" / "data")
    data.create()
    assert stat.S_IMODE(data.path.stat().st_mode) == 0o700
    data.path.chmod(0o755)
    data.create()
    assert stat.S_IMODE(data.path.stat().st_mode) == 0o700
    assert not data.exists()
    data.postgres.mkdir()
    assert data.exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.lock()
    assert not second.try_lock()
    with pytest.raises(StartError, match=rf"in use by another MailRaven \(process {os.getpid()}\)"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_the_lock_of_a_dying_program_is_waited_for(tmp_path: Path) -> None:
    # The holder forks a worker and is killed; the worker keeps the lock until it has noticed.
    script = f"""
import os, sys
from pathlib import Path
from mailraven.app.data_directory import DataDirectory
DataDirectory(Path({str(tmp_path)!r})).lock()
if os.fork() == 0:
    sys.stdout.write("locked\\n"); sys.stdout.flush()
    sys.stdin.readline()
    os._exit(0)
os._exit(9)
"""
    worker = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"locked\n"
    assert worker.wait(20) == 9
    data = DataDirectory(tmp_path)
    assert not data.try_lock()
    worker.stdin.close()
    worker.stdout.close()
    data.lock()
    data.unlock()


def test_a_private_file_appears_whole_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new\n")
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["secret"]


def test_a_path_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="file"):
        DataDirectory(tmp_path / "file").create()
    with pytest.raises(StartError, match="none"):
        DataDirectory(tmp_path / "none").try_lock()


def test_settings_are_found_when_they_are_there(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    assert data.settings_files() == []
    data.settings.write_text("hostname: mail.example.org\n")
    assert data.settings_files() == [tmp_path / "mailraven.yaml"]


def test_a_directory_that_nobody_lets_us_see_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", forbidden)
    data = DataDirectory(tmp_path)
    for look in (data.settings_files, data.exists):
        with pytest.raises(StartError, match=f"{tmp_path}/.*: Permission denied"):
            look()
