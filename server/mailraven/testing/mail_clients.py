"""A running `mailraven up` for tests with the mail programs of the system, and how those are run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAILRAVEN = Path(sys.executable).with_name("mailraven")
HOST = "localhost"  # a name of the server's certificate: every client verifies it
_STARTUP_SECONDS = 90
_STOP_SECONDS = 45
CLIENT_SECONDS = 100


@dataclass(frozen=True)
class Mailserver:
    """What the ready file says, in the words of the tests."""

    ready: dict[str, Any]

    def port(self, listener: str) -> int:
        """Of smtp, submission, submissions, imap or imaps."""
        return int(self.ready[listener]["port"])

    @property
    def ca_file(self) -> str:
        """What signed the server's certificate."""
        return str(self.ready["ca_file"])

    def user(self, number: int) -> tuple[str, str]:
        """Address and password."""
        user = self.ready["users"][number]
        return user["address"], user["password"]


@contextmanager
def mailraven_up(
    directory: Path, users: Sequence[str], *, workers: int = 2, variables: Mapping[str, str] | None = None
) -> Iterator[Mailserver]:
    """Run `mailraven up` on free ports below `directory`. Raises RuntimeError with its log when it does not start."""
    directory.chmod(0o755)
    ready_file, log_file = directory / "ready.json", directory / "log"
    command: list[str | Path] = [MAILRAVEN, "up", "--data", directory / "data", "--port-base", "0"]
    command += ["--workers", str(workers), "--ready-file", ready_file]
    for user in users:
        command += ["--user", user]
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
        )
    try:
        deadline = time.monotonic() + _STARTUP_SECONDS
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("mailraven up did not start:\n" + log_file.read_text()[-4000:])
            time.sleep(0.05)
        yield Mailserver(json.loads(ready_file.read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_client(command: Sequence[str | Path], *, codes: Sequence[int] = (0,)) -> bytes:
    """Standard output. Raises RuntimeError with what the program said when its exit code is none of `codes`."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, timeout=CLIENT_SECONDS, env=environment, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode not in codes:
        said = (done.stdout[-3000:] + b"\n" + done.stderr[-3000:]).decode(errors="replace")
        raise RuntimeError(f"{command[0]} ended with {done.returncode}\n{said}")
    return done.stdout
