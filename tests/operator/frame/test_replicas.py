"""Two replicas as processes: one works, the other takes over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.testing.kube_apiserver import KubeApi

_PROGRAM = Path(__file__).with_name("replica.py")
LEASE_SECONDS = 6


class Replica:
    """Its log is a file of JSON lines."""

    def __init__(self, name: str, api: KubeApi, namespace: str, directory: Path) -> None:
        self.name = name
        self._log = directory / f"{name}.log"
        (directory / "token").write_text("mr_test")
        environment = os.environ | {
            "KUBECONFIG": str(api.kubeconfig),
            "POD_NAMESPACE": namespace,
            "POD_NAME": name,
            "MAILRAVEN_OPERATOR_NAMESPACES": namespace,
            "MAILRAVEN_OPERATOR_LEASE_SECONDS": str(LEASE_SECONDS),
            "MAILRAVEN_OPERATOR_PORT": "0",
            "MAILRAVEN_OPERATOR_TOKEN_FILE": str(directory / "token"),
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(_PROGRAM)], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def said(self, message: str) -> dict[str, Any] | None:
        return next((line for line in self.log() if line["message"] == message), None)

    def await_line(self, message: str, seconds: float = 40.0) -> dict[str, Any]:
        return wait(lambda: self.said(message), seconds, self._log)

    def ask(self, path: str) -> httpx.Response:
        port = self.await_line("started")["port"]
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)


def wait(condition: Callable[[], Any], seconds: float, log: Path | None = None) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it does not become true" + (f":\n{log.read_text()}" if log else ""))
        time.sleep(0.05)
    return found


@pytest.fixture
def replicas(kube_api: KubeApi, kube_namespace: str, tmp_path: Path) -> Iterator[Callable[[str], Replica]]:
    started: list[Replica] = []

    def start(name: str) -> Replica:
        replica = Replica(name, kube_api, kube_namespace, tmp_path)
        started.append(replica)
        return replica

    yield start
    for replica in started:
        replica.process.kill()
        replica.process.wait()


def test_a_killed_leader_is_succeeded_within_the_lease(replicas: Callable[[str], Replica], users: Any) -> None:
    first = replicas("first")
    first.await_line("leading")
    second = replicas("second")
    assert second.await_line("standby")["leader"].startswith("first_")
    users.make("ann")
    wait(lambda: users.get("ann").get("status", {}).get("secretName") == "first", 20)
    # The standby is ready, so that a rollout goes on.
    assert second.ask("/readyz").status_code == 200
    assert "mailraven_operator_leader 0.0" in second.ask("/metrics").text
    first.process.kill()
    killed = time.monotonic()
    second.await_line("leading")
    assert time.monotonic() - killed < LEASE_SECONDS + 5
    users.make("bob")
    wait(lambda: users.get("bob").get("status", {}).get("secretName") == "second", 20)


def test_a_leader_that_ends_lets_the_other_begin_at_once(replicas: Callable[[str], Replica], users: Any) -> None:
    first = replicas("first")
    first.await_line("leading")
    second = replicas("second")
    second.await_line("standby")
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(20) == 0
    ended = time.monotonic()
    assert first.said("lease_released")
    second.await_line("leading")
    assert time.monotonic() - ended < LEASE_SECONDS
    assert not [line for line in first.log() if line["level"] in ("warning", "error")]


def test_a_leader_that_stood_still_does_not_go_on(
    replicas: Callable[[str], Replica], users: Any, kube_api: KubeApi
) -> None:
    first = replicas("first")
    first.await_line("leading")
    second = replicas("second")
    second.await_line("standby")
    first.process.send_signal(signal.SIGSTOP)
    second.await_line("leading")
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(20) == 3
    assert first.said("lease_lost")
    users.make("ann")
    wait(lambda: users.get("ann").get("status", {}).get("secretName") == "second", 20)


def test_a_lease_taken_by_hand_ends_the_leader(
    replicas: Callable[[str], Replica], kube_api: KubeApi, kube_namespace: str
) -> None:
    first = replicas("first")
    first.await_line("leading")
    path = f"/apis/coordination.k8s.io/v1/namespaces/{kube_namespace}/leases/mailraven-operator"
    kube_api.request(
        "PATCH", path, {"spec": {"holderIdentity": "somebody"}}, content_type="application/merge-patch+json"
    )
    assert first.process.wait(20) == 3


def test_an_api_server_that_is_away_is_waited_for(own_kube_api: KubeApi, tmp_path: Path) -> None:
    own_kube_api.make_namespace("mail")
    own_kube_api.stop()
    replica = Replica("first", own_kube_api, "mail", tmp_path)
    try:
        replica.await_line("lease_not_gained")
        assert replica.ask("/readyz").text.startswith("the API server")
        assert replica.ask("/livez").status_code == 200
        own_kube_api.start()
        replica.await_line("leading")
        replica.await_line("resynced")
        lines = replica.log()
        assert not [line for line in lines if "exception" in line]
    finally:
        replica.process.kill()
        replica.process.wait()
