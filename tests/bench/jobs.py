"""Runs load.py against a server and reads the server's counters at its events."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servers import Side

_LOAD = Path(__file__).with_name("load.py")
_TIMEOUT = 120  # of the waiting inside a job


def run_job(side: Side, job: dict[str, Any], at: Callable[[str], None] | None = None) -> dict[str, Any]:
    """The job's result and `cpu_seconds`, what the server used between its events "prepared" and "done"."""
    known = {"smtp": side.smtp, "imap": side.imap, "imaps": side.imaps, "users": side.users, "timeout": _TIMEOUT}
    cpu: dict[str, float] = {}
    with subprocess.Popen(
        [sys.executable, str(_LOAD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(known | job) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            message = json.loads(line)
            if "result" in message:
                return {**message["result"], "cpu_seconds": cpu["done"] - cpu["prepared"]}
            cpu[message["at"]] = side.meter.seconds()
            if at is not None:
                at(message["at"])
                cpu[message["at"]] = side.meter.seconds()
            process.stdin.write("\n")
            process.stdin.flush()
    raise RuntimeError(f"the load of {job['kind']} on {side.name} failed")


def settle(seconds: float = 1.0) -> None:
    """Let a server finish what sessions that have just ended or begun leave to do, before its memory is measured."""
    time.sleep(seconds)
