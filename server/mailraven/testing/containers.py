"""Containers in tests: the project's images, run as a user with the strictest settings runs them."""

from __future__ import annotations

import json
import secrets
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from mailraven.testing.cluster import run, until

OPS = 9090
_OF_THE_CONTAINER = {".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"}
STRICT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")  # noqa: S108 - of the container


class Container:
    """One that runs, or has ended; it is removed at the end, with its anonymous volumes."""

    def __init__(self, image: str, *arguments: str, options: Sequence[str] = STRICT) -> None:
        self.name = f"mailraven-test-{secrets.token_hex(4)}"
        self.began = time.monotonic()
        run(["docker", "run", "--detach", "--name", self.name, *options, image, *arguments])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(["docker", "rm", "--force", "--volumes", self.name])

    @property
    def state(self) -> dict[str, Any]:
        """Status, ExitCode, Health, as docker has it."""
        found: dict[str, Any] = json.loads(run(["docker", "inspect", "--format", "{{json .State}}", self.name]))
        return found

    @property
    def log(self) -> str:
        """What it wrote to stdout and stderr."""
        command = ["docker", "logs", self.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)  # noqa: S603
        return done.stdout.decode("utf-8", "replace")

    def ended(self, seconds: float = 30.0) -> int:
        """Its exit code. Raises TimeoutError."""
        until(lambda: self.state["Status"] == "exited", f"the end of {self.name}", seconds)
        code: int = self.state["ExitCode"]
        return code

    def stop(self, seconds: int) -> tuple[int, float]:
        """SIGTERM, after so many seconds SIGKILL: exit code, and how long it took."""
        begin = time.monotonic()
        run(["docker", "stop", "--time", str(seconds), self.name])
        return self.state["ExitCode"], time.monotonic() - begin

    def ask(self, path: str) -> tuple[int, str]:
        """Status and text of the ops listener; 0 while it does not answer. Needs `--publish 127.0.0.1::9090`."""
        published = run(["docker", "port", self.name, f"{OPS}/tcp"]).split()
        if not published:  # it has ended
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://{published[0]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self, seconds: float = 60.0) -> float:
        """How long it took from `docker run` to a /readyz that says yes. Raises TimeoutError."""
        until(lambda: self.ask("/readyz")[0] == 200, f"{self.name} to be ready", seconds, every=0.02)
        return time.monotonic() - self.began


def files_of(image: str) -> dict[str, tarfile.TarInfo]:
    """Everything in an image, by its path without a slash at the start. Nothing is run for it."""
    container = run(["docker", "create", image]).strip()
    try:
        command = ["docker", "export", container]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as export,  # noqa: S603
            tarfile.open(fileobj=export.stdout, mode="r|") as files,
        ):
            return {
                file.name: file
                for file in files
                if file.name not in _OF_THE_CONTAINER and not file.name.startswith(("dev/", "proc/", "sys/"))
            }
    finally:
        run(["docker", "rm", "--volumes", container])
