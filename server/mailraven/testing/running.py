"""`mailraven up` as a process of its own: start, drain, kill, start again on the same directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

_PROGRAM = Path(sys.executable).with_name("mailraven")
_POLL_SECONDS = 0.005
_LOG_TAIL = 4000


class RunningServer:
    """Its data, ready file and log are in `directory`. The ports are the same after each start.

    `prefix` is put before the command (to start it in a control group, or under a profiler).
    """

    def __init__(
        self,
        directory: Path,
        *,
        users: Sequence[str] = (),
        workers: int | None = None,
        settings: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.data = directory / "data"
        self.log = directory / "log"
        self._ready_file = directory / "ready.json"
        self._users = users
        self._options = [] if workers is None else ["--workers", str(workers)]
        self._settings = dict(settings or {})
        self._prefix = list(prefix)
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}
        self.passwords: dict[str, str] = {}  # by address; the ready file has a password only once

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def address(self, listener: str) -> tuple[str, int]:
        """Host and port of smtp, submission, submissions, imap or imaps."""
        where = self.ready[listener]
        return where["host"], int(where["port"])

    def start(self, timeout: float = 60.0) -> float:
        """Return when every listener accepts: after how many seconds. RuntimeError with the log when it does not."""
        self._ready_file.unlink(missing_ok=True)  # a killed server leaves it
        begin = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        while not self._ready_file.exists():
            if self._process.poll() is not None or time.monotonic() - begin > timeout:
                self.kill()
                raise RuntimeError(f"mailraven up did not start:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)
        seconds = time.monotonic() - begin
        self.ready = json.loads(self._ready_file.read_text(encoding="utf-8"))
        self.passwords |= {user["address"]: user["password"] for user in self.ready["users"] if user["password"]}
        return seconds

    def _command(self) -> list[str]:
        command = [*self._prefix, str(_PROGRAM), "up", "--quiet", "--data", str(self.data), "--port-base", "0"]
        command += ["--ready-file", str(self._ready_file), *self._options]
        for address in self._users:
            command += ["--user", address]
        # Nobody else takes a port that was free for us, and clients find the server again after a restart.
        ports = {f"listeners.{_LISTENERS[name]}.port": str(self.address(name)[1]) for name in _LISTENERS if self.ready}
        for key, value in {**ports, **self._settings}.items():
            command += ["--set", f"{key}={value}"]
        return command

    def stop(self, timeout: float = 45.0) -> int | None:
        """SIGTERM, and wait for the drain: its exit code. Killed when it takes longer."""
        process = self._process
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"mailraven up did not stop within {timeout:.0f} s:\n{self.log_tail()}") from None
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL to the supervisor, the workers and Postgres, all at one moment."""
        process, self._process = self._process, None
        if process is None:
            return
        for member in family(process.pid):
            _signal(member, signal.SIGSTOP)  # nobody may fork or mourn while we count
        members = family(process.pid)
        for member in members:
            _signal(member, signal.SIGKILL)
        process.wait()
        _await_end(members - {process.pid})

    def kill_supervisor(self) -> None:
        """SIGKILL to the supervisor alone: workers and Postgres have to notice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def worker_pids(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in children(self.pid) if _name(pid) != "postgres"]

    def postgres_pid(self) -> int:
        """The postmaster of the embedded Postgres."""
        return next(pid for pid in children(self.pid) if _name(pid) == "postgres")

    def log_tail(self) -> str:
        """The end of the log."""
        with suppress(FileNotFoundError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
        return "no log"


# The ready file's words for listeners, and those of the settings.
_LISTENERS = {
    "smtp": "mx",
    "submission": "submission",
    "submissions": "submissions",
    "imap": "imap",
    "imaps": "imaps",
}


def children(pid: int) -> list[int]:
    """The living children of a process."""
    return [child for child, (parent, state) in _processes().items() if parent == pid and state != "Z"]


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and state of every process, from proc(5)."""
    found: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            # The name, in parentheses, may hold anything.
            state, parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            found[int(stat.parent.name)] = (int(parent), state)
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    return ""


def family(pid: int) -> set[int]:
    """A process and all its descendants."""
    processes = _processes()
    members, fresh = {pid}, {pid}
    while fresh:
        fresh = {child for child, (parent, _) in processes.items() if parent in fresh} - members
        members |= fresh
    return members


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _await_end(pids: set[int], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while running := {pid for pid, (_, state) in _processes().items() if pid in pids and state != "Z"}:
        if time.monotonic() > deadline:
            raise RuntimeError(f"killed processes still run: {sorted(running)}")
        time.sleep(_POLL_SECONDS)
