"""A Kubernetes cluster in tests: kubectl and helm, run and waited for."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")
_COMMAND_SECONDS = 300.0


class CommandFailed(Exception):
    """With what the command said."""


def run(command: Sequence[str], *, stdin: str | None = None, seconds: float = _COMMAND_SECONDS) -> str:
    """What it printed. Raises CommandFailed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - tests choose the command
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def until(condition: Callable[[], _T], what: str, seconds: float = 60.0, every: float = 0.25) -> _T:
    """The first true value of `condition`; a command that fails meanwhile counts as false. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    problem = ""
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except CommandFailed as error:
            problem = str(error)
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s {problem}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """By its kubeconfig file; commands go to `namespace`."""

    kubeconfig: str
    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = _COMMAND_SECONDS) -> str:
        """What it printed. Raises CommandFailed."""
        place = ["--kubeconfig", self.kubeconfig, "--namespace", self.namespace]
        return run(["kubectl", *place, *arguments], stdin=stdin, seconds=seconds)

    def helm(self, *arguments: str, seconds: float = 2 * _COMMAND_SECONDS) -> str:
        """What it printed. Raises CommandFailed."""
        return run(
            ["helm", "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments], seconds=seconds
        )

    def apply(self, *documents: dict[str, Any]) -> None:
        """As `kubectl apply --server-side` does it."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
        self.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def get(self, resource: str, name: str) -> dict[str, Any]:
        """The object. Raises CommandFailed."""
        found: dict[str, Any] = json.loads(self.kubectl("get", resource, name, "-o", "json"))
        return found

    def items(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        """All of the namespace, or those with these labels."""
        chosen = ["-l", selector] if selector else []
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", resource, "-o", "json", *chosen))["items"]
        return found

    def wait_ready(self, resource: str, name: str, seconds: float = 30.0) -> float:
        """As a user waits for a custom resource; seconds it took. Raises CommandFailed."""
        begin = time.monotonic()
        self.kubectl("wait", "--for=condition=Ready", f"{resource}/{name}", f"--timeout={seconds:.0f}s")
        return time.monotonic() - begin

    def rolled_out(self, *deployments: str, seconds: float = 180.0) -> None:
        """Waits for them. Raises CommandFailed."""
        for name in deployments:
            self.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={seconds:.0f}s", seconds=seconds + 10)
