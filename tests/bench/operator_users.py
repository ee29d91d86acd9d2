"""The operator with many MailUsers: from scratch, a look at all of them again, and its memory.

    MAILRAVEN_KUBE_BIN=DIR python tests/bench/operator_users.py [--users 1000]

A real API server and etcd, `mailraven up` with its defaults, and `mailraven-operator run`, all on this machine. Each
user has a generated Secret, so that each costs an account with a hashed password, a Secret, two patches of the resource
and an Event. The exit code says whether it could be measured.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from mailraven.testing.kube_apiserver import KubeApi, running_kube_api
from mailraven.testing.running import RunningServer

_NAMESPACE = "mail"
_PATH = f"/apis/mailraven.io/v1alpha1/namespaces/{_NAMESPACE}"
_PROGRAM = "from mailraven_operator.main import main; main()"


def main() -> int:
    """Measures, and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for name in ("kube", "server"):
            (place / name).mkdir()
        with running_kube_api(place / "kube") as api, RunningServer(place / "server") as server:
            print(json.dumps(measured(api, server, place, options.users), indent=2))
    return 0


def measured(api: KubeApi, server: RunningServer, place: Path, users: int) -> dict[str, Any]:
    """Seconds, MiB, and how many statuses were written."""
    api.make_namespace(_NAMESPACE)
    token = place / "token"
    token.write_text(server.ready["admin_token"])
    with Replica(api, server, token, place / "operator.log") as operator:
        operator.until(lambda: operator.metric("mailraven_operator_resync_timestamp_seconds") > 0)
        figures: dict[str, Any] = {"users": users, "idle_mib": operator.memory()}
        make(api, "maildomains", {"name": "example.org"}, {})
        begun, computed = time.monotonic(), cpu_seconds()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: make_user(api, number), range(users)))
        figures["made_seconds"] = round(time.monotonic() - begun, 1)
        operator.until(lambda: ready_users(api) == users, 900)
        figures["from_scratch_seconds"] = round(time.monotonic() - begun, 1)
        figures["from_scratch_cpu_seconds"] = round(cpu_seconds() - computed, 1)
        figures["from_scratch_operator_cpu_seconds"] = operator.cpu_seconds()
        figures["from_scratch_mib"] = operator.memory()
        seen = operator.metric("mailraven_operator_resync_timestamp_seconds")
        operator.until(lambda: operator.metric("mailraven_operator_resync_timestamp_seconds") > seen, 900)
        seen = operator.metric("mailraven_operator_resync_timestamp_seconds")
        written = operator.metric("mailraven_operator_status_writes_total")
        operator.until(lambda: operator.metric("mailraven_operator_resync_timestamp_seconds") > seen, 900)
        figures["resync_seconds"] = round(operator.metric("mailraven_operator_resync_duration_seconds"), 1)
        figures["resync_status_writes"] = operator.metric("mailraven_operator_status_writes_total") - written
        figures["resync_mib"] = operator.memory()
        figures["peak_mib"] = operator.peak()
    with Replica(api, server, token, place / "restarted.log") as operator:
        operator.until(lambda: operator.metric("mailraven_operator_resync_timestamp_seconds") > 0, 900)
        figures["restart_resync_seconds"] = round(operator.metric("mailraven_operator_resync_duration_seconds"), 1)
        figures["restart_mib"] = operator.memory()
    return figures


class Replica:
    """`mailraven-operator run` as a process."""

    def __init__(self, api: KubeApi, server: RunningServer, token: Path, log: Path) -> None:
        prefix = "MAILRAVEN_OPERATOR_"
        environment = os.environ | {
            "KUBECONFIG": str(api.kubeconfig),
            f"{prefix}NAMESPACE": _NAMESPACE,
            f"{prefix}SERVER_URL": server.ready["http"]["url"],
            f"{prefix}TOKEN_FILE": str(token),
            f"{prefix}RESYNC_SECONDS": "20",
            f"{prefix}HOST": "127.0.0.1",
            f"{prefix}PORT": "0",
            f"{prefix}MAIL_HOST": "mail.example.org",
        }
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "run"], env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        self._port = 0

    def __enter__(self) -> "Replica":
        self.until(lambda: '"started"' in self._log.read_text())
        line = next(line for line in self._log.read_text().splitlines() if '"started"' in line)
        self._port = json.loads(line)["port"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Raises RuntimeError with the end of the log."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not come true: {self._log.read_text()[-3000:]}")
            time.sleep(0.25)

    def metric(self, name: str) -> float:
        """Of all labels together."""
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", trust_env=False, timeout=60).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))

    def memory(self) -> float:
        """RSS in MiB."""
        return round(psutil.Process(self._process.pid).memory_info().rss / 2**20, 1)

    def cpu_seconds(self) -> float:
        """Since its start."""
        times = psutil.Process(self._process.pid).cpu_times()
        return round(times.user + times.system, 1)

    def peak(self) -> float:
        """The highest RSS in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return round(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024, 1)


def cpu_seconds() -> float:
    """Of all processes that were started here: what the wall clock would be on an idle machine, times its cores."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def make(api: KubeApi, plural: str, metadata: dict[str, Any], spec: dict[str, Any]) -> None:
    """A resource."""
    kind = {"maildomains": "MailDomain", "mailusers": "MailUser"}[plural]
    document = {"apiVersion": "mailraven.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    api.request("POST", f"{_PATH}/{plural}", document)


def make_user(api: KubeApi, number: int) -> None:
    """With a quota, a label and a generated Secret."""
    spec = {
        "address": f"user{number}@example.org",
        "displayName": f"User {number}",
        "quota": "1Gi",
        "generatedSecret": {"name": f"user{number}-mail"},
    }
    make(api, "mailusers", {"name": f"user{number}", "labels": {"team": str(number % 7)}}, spec)


def ready_users(api: KubeApi) -> int:
    """How many are Ready."""
    count, more = 0, ""
    while True:
        page = api.request("GET", f"{_PATH}/mailusers", limit="500", **{"continue": more})
        for item in page["items"]:
            conditions = item.get("status", {}).get("conditions", ())
            count += any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        more = page["metadata"].get("continue", "")
        if not more:
            return count


if __name__ == "__main__":
    sys.exit(main())
