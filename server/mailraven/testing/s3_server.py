"""A real S3 server on loopback for tests: `rclone serve s3` over a directory, with keys and a bucket."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from queue import Empty, Queue

_RCLONE = Path(sys.executable).with_name("rclone")
_STARTED = re.compile(r"https?://127\.0\.0\.1:(\d+)/")


class S3Server:
    """`stop` and `start` keep the port and the objects."""

    access_key = "test-access"
    secret_key = "test-secret-key"  # noqa: S105 - of a server that lives for a test
    bucket = "mailraven"

    def __init__(self, directory: Path, *, certificate: tuple[Path, Path] | None = None) -> None:
        self._directory = directory
        self._tls = [f"--cert={certificate[0]}", f"--key={certificate[1]}"] if certificate else []
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        (directory / self.bucket).mkdir(parents=True, exist_ok=True)

    @property
    def endpoint(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self._port}"

    def start(self, timeout: float = 20.0) -> None:
        """Return when the port accepts."""
        self._process = subprocess.Popen(  # noqa: S603
            [
                str(_RCLONE),
                "serve",
                "s3",
                "--config=",
                f"--addr=127.0.0.1:{self._port}",
                f"--auth-key={self.access_key},{self.secret_key}",
                "--log-level=NOTICE",
                "--vfs-cache-mode=off",
                *self._tls,
                str(self._directory),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        ports: Queue[int | None] = Queue()
        threading.Thread(target=_watch, args=(self._process, ports), daemon=True).start()
        try:
            port = ports.get(timeout=timeout)
        except Empty:
            port = None
        if port is None:
            self.stop()
            raise RuntimeError("rclone serve s3 did not start")
        self._port = port

    def stop(self) -> None:
        """Kill the server; the objects stay."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def _watch(process: subprocess.Popen[str], ports: Queue[int | None]) -> None:
    """Find the port in the log, and read on so that the pipe never fills."""
    with process.stderr or nullcontext(()) as log:
        for line in log:
            if match := _STARTED.search(line):
                ports.put(int(match[1]))
    ports.put(None)
