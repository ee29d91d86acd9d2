"""The `mailraven` program as people run it: its commands, and `up` with everything it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mailraven.testing.running import children

MAILRAVEN = str(Path(sys.executable).with_name("mailraven"))
START_SECONDS = 60.0
# What the machine that runs the tests has set must not matter.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAILRAVEN_")}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s for {what}")


def run(*arguments: str, code: int = 0, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself. Raises AssertionError when it does not end with `code`."""
    done = subprocess.run(  # noqa: S603
        [MAILRAVEN, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={**ENVIRONMENT, **environment},
        check=False,
    )
    if done.returncode != code:
        raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def get(url: str, token: str = "") -> tuple[int, bytes]:
    """Status and body."""
    request = urllib.request.Request(  # noqa: S310 - our own
        url, headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def name_of(pid: int) -> str:
    """The program of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Instance:
    """A running `mailraven up`."""

    def __init__(self, home: Path, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self.home = home
        self.data = home / "data"
        self.ready_file = home / "ready.json"
        self.output = home / "stdout"
        self.log = home / "stderr"
        fixed = ("--data", str(self.data), "--port-base", "0", "--ready-file", str(self.ready_file))
        command = [*prefix, MAILRAVEN, "up", *fixed, *arguments]
        with self.output.open("wb") as stdout, self.log.open("wb") as stderr:
            self.process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=ENVIRONMENT
            )
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> Instance:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.text()}")
            return self.ready_file.exists()

        wait_for(ready, "the ready file")
        self.ready = json.loads(self.ready_file.read_text())
        return self

    def text(self) -> str:
        return self.output.read_text() + self.log.read_text()

    @property
    def ops(self) -> str:
        """Where /livez is."""
        found = re.search(r"(http://\S+)/health", self.output.read_text())
        if found is None:
            raise AssertionError(self.text())
        return found[1]

    def workers(self) -> list[int]:
        return sorted(pid for pid in children(self.process.pid) if name_of(pid) != "postgres")

    def postgres(self) -> list[int]:
        return sorted(pid for pid in children(self.process.pid) if name_of(pid) == "postgres")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)

    def end(self) -> None:
        if self.process.poll() is None:
            self.stop()


@contextmanager
def started(home: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[Instance]:
    instance = Instance(home, *arguments, prefix=prefix)
    try:
        yield instance.wait_ready()
    finally:
        instance.end()


def lines_of(path: Path) -> Sequence[dict[str, Any]]:
    """A JSON log."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
