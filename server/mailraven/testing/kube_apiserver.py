"""A real API server of Kubernetes with its etcd, on loopback, for tests.

The programs `etcd` and `kube-apiserver` come from the directory $MAILRAVEN_KUBE_BIN or $KUBEBUILDER_ASSETS (what
`setup-envtest use -p path` prints), else from the PATH. There are no controllers: Jobs do not run, owned objects
are not collected, a deleted namespace stays Terminating. Take a new namespace for each test (`kube_namespace`).

A conftest.py imports the fixtures that its tests need: `from mailraven.testing.kube_apiserver import kube_api, ...`.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven.tls.selfsigned import CertificateFiles, ensure_self_signed
from mailraven_api.kubernetes.crd import crds

_PROGRAMS = ("etcd", "kube-apiserver")
_ADDRESS = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_TRIES = 3  # another process may take a free port before the server does
_PR_SET_PDEATHSIG = 1
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def find_programs() -> dict[str, str]:
    """Paths of the programs. Raises LookupError, saying what is missing."""
    places = [place for name in ("MAILRAVEN_KUBE_BIN", "KUBEBUILDER_ASSETS") if (place := os.environ.get(name))]
    search = os.pathsep.join(places) if places else None
    found = {name: path for name in _PROGRAMS if (path := shutil.which(name, path=search))}
    missing = [name for name in _PROGRAMS if name not in found]
    if missing:
        raise LookupError(f"no {' and no '.join(missing)} in $MAILRAVEN_KUBE_BIN, $KUBEBUILDER_ASSETS or the PATH")
    return found


class KubeError(Exception):
    """The API server refused."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclass
class KubeApi:
    """A running API server and its administrator's way in. `stop` and `start` keep the port and all objects."""

    directory: Path
    programs: dict[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    port: int = 0
    _etcd: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _server: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _client: httpx.Client | None = field(default=None, repr=False)
    _etcd_port: int = 0
    _files: CertificateFiles | None = None

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"https://{_ADDRESS}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that its certificate is by."""
        return self._certificates.ca_file

    @property
    def kubeconfig(self) -> Path:
        """A file for kubectl, kopf and everybody else."""
        return self.directory / "kubeconfig"

    @property
    def _certificates(self) -> CertificateFiles:
        if self._files is None:
            self._files = ensure_self_signed(self.directory / "tls", [_ADDRESS, "localhost"], dt.datetime.now(dt.UTC))
        return self._files

    def start(self) -> None:
        """Return when it is ready. Raises RuntimeError with the end of its log."""
        if self._etcd is None:
            self._etcd_port, self._etcd = _on_free_ports(2, self._start_etcd)
        if self.port:
            self._server = self._start_server(self.port)
        else:
            self.port, self._server = _on_free_ports(1, self._start_server)
            self.kubeconfig.write_text(json.dumps(self._kubeconfig()))
            self.kubeconfig.chmod(0o600)
        self._client = httpx.Client(
            base_url=self.url,
            verify=self._context(),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
            trust_env=False,
        )
        _until(self._is_ready, self._server, self.directory / "kube-apiserver.log")

    def stop(self) -> None:
        """Stop the API server only; etcd goes on."""
        if self._client is not None:
            self._client.close()
        _end(self._server)
        self._client = self._server = None

    def close(self) -> None:
        """Stop both."""
        self.stop()
        _end(self._etcd)
        self._etcd = None

    def request(
        self, method: str, path: str, document: Any = None, *, content_type: str = "application/json", **query: str
    ) -> Any:
        """The document of the answer. Raises KubeError, httpx.TransportError."""
        if self._client is None:
            raise RuntimeError("the API server is stopped")
        content = None if document is None else json.dumps(document)
        answer = self._client.request(
            method, path, content=content, params=query, headers={"Content-Type": content_type}
        )
        found = answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text
        if answer.is_error:
            status = found if isinstance(found, dict) else {}
            raise KubeError(answer.status_code, status.get("reason", ""), status.get("message", answer.text))
        return found

    def install(self, *documents: dict[str, Any]) -> None:
        """Custom resource definitions; returns when their kinds can be used."""
        for document in documents:
            self.request("PATCH", f"{_CRDS}/{document['metadata']['name']}", document, content_type=APPLY,
                         fieldManager="tests", force="true")  # fmt: skip
        _until(
            lambda: all(self._is_established(document["metadata"]["name"]) for document in documents),
            self._server,
            self.directory / "kube-apiserver.log",
        )

    def make_namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """Its name."""
        metadata = {"name": name, "labels": labels or {}}
        self.request("POST", "/api/v1/namespaces", {"metadata": metadata})
        return name

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """What it said, whatever the exit code. The program has to be on the PATH, or with the other two."""
        search = os.pathsep.join((str(Path(self.programs["etcd"]).parent), os.environ.get("PATH", "")))
        program = shutil.which("kubectl", path=search)
        if program is None:
            pytest.skip("no kubectl")
        command = [program, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.directory / 'cache'}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603

    def _start_etcd(self, port: int, peer_port: int) -> subprocess.Popen[bytes]:
        log = self.directory / "etcd.log"
        client, peer = (f"http://{_ADDRESS}:{number}" for number in (port, peer_port))
        process = _spawn(
            self.programs["etcd"],
            log,
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )
        _until(lambda: _accepts(port), process, log)
        return process

    def _start_server(self, port: int) -> subprocess.Popen[bytes]:
        tokens = self.directory / "tokens.csv"
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        tokens.chmod(0o600)
        files, log = self._certificates, self.directory / "kube-apiserver.log"
        process = _spawn(
            self.programs["kube-apiserver"],
            log,
            f"--etcd-servers=http://{_ADDRESS}:{self._etcd_port}",
            f"--bind-address={_ADDRESS}",
            f"--advertise-address={_ADDRESS}",
            f"--secure-port={port}",
            f"--tls-cert-file={files.cert_file}",
            f"--tls-private-key-file={files.key_file}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={files.cert_file}",
            f"--service-account-signing-key-file={files.key_file}",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # nobody makes the default service accounts
            "--enable-priority-and-fairness=false",
        )
        _until(lambda: _accepts(port), process, log)
        return process

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def _kubeconfig(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }

    def _is_ready(self) -> bool:
        try:
            return bool(self.request("GET", "/readyz") == "ok")
        except (KubeError, httpx.TransportError):
            return False

    def _is_established(self, name: str) -> bool:
        found = self.request("GET", f"{_CRDS}/{name}")
        conditions = {one["type"]: one for one in found.get("status", {}).get("conditions") or ()}
        if conditions.get("NonStructuralSchema", {}).get("status") == "True":
            raise RuntimeError(f"{name}: {conditions['NonStructuralSchema']['message']}")
        return bool(conditions.get("Established", {}).get("status") == "True")


_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@contextmanager
def running_kube_api(directory: Path) -> Iterator[KubeApi]:
    """A server with the project's kinds. Raises LookupError if there are no programs for it."""
    api = KubeApi(directory, find_programs())
    try:
        api.start()
        api.install(*crds())
        yield api
    finally:
        api.close()


@pytest.fixture(scope="session")
def kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """One for each process of the tests; whoever stops it starts it again."""
    try:
        find_programs()
    except LookupError as error:
        pytest.skip(str(error))
    with running_kube_api(tmp_path_factory.mktemp("kube")) as api:
        yield api


_numbers = itertools.count(1)


@pytest.fixture
def kube_namespace(kube_api: KubeApi) -> str:
    """The name of a namespace that no other test uses."""
    return kube_api.make_namespace(f"test-{next(_numbers)}")


def _spawn(program: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls nothing but the kernel
        )


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes] | None, log: Path) -> None:
    """Raises RuntimeError; the process is gone then."""
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if process is None or process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            raise RuntimeError(f"it does not get ready: {_tail(log)}")
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((_ADDRESS, port), timeout=1):
            return True
    except OSError:
        return False


def _on_free_ports(count: int, start: Callable[..., subprocess.Popen[bytes]]) -> tuple[int, subprocess.Popen[bytes]]:
    """The first of the ports. Another process may take one before the server does: then with others."""
    for attempt in range(_TRIES):
        with ExitStack() as stack:
            held = [stack.enter_context(socket.create_server((_ADDRESS, 0))) for _ in range(count)]
            ports = [one.getsockname()[1] for one in held]
        try:
            return ports[0], start(*ports)
        except RuntimeError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""
