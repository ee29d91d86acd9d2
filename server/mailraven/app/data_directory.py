"""The directory of `mailraven up`: who may use it, and where in it things are."""

import fcntl
import os
import time
from pathlib import Path

from mailraven.app.errors import StartError

_ORPHANS_END = 10.0


class DataDirectory:
    """Mode 700; one program at a time holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def postgres(self) -> Path:
        """The embedded Postgres' cluster."""
        return self.path / "postgres"

    @property
    def blobs(self) -> Path:
        """Octets of large messages."""
        return self.path / "blobs"

    @property
    def tls(self) -> Path:
        """The self-signed certificate and its authority."""
        return self.path / "tls"

    @property
    def metrics(self) -> Path:
        """Metric values of the workers, of this run only."""
        return self.path / "run" / "metrics"

    @property
    def admin_token(self) -> Path:
        """The bootstrap token of the admin API, mode 600."""
        return self.path / "secrets" / "admin-token"

    @property
    def master_key(self) -> Path:
        """The master key of what is sealed in the database, mode 600."""
        return self.path / "secrets" / "master-key"

    @property
    def api_url(self) -> Path:
        """Where the HTTP API listens, as long as `up` runs: for the commands."""
        return self.path / "run" / "api-url"

    @property
    def settings(self) -> Path:
        """Settings that are read when they are there."""
        return self.path / "mailraven.yaml"

    def settings_files(self) -> list[Path]:
        """That file, or none. Raises StartError when nobody lets us look."""
        return [self.settings] if _is_there(self.settings) else []

    def exists(self) -> bool:
        """Whether it was used before. Raises StartError when nobody lets us look."""
        return _is_there(self.postgres) or _is_there(self.admin_token)

    def create(self) -> None:
        """Makes it, or raises StartError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid == os.geteuid():
                self.path.chmod(0o700)
            (self.path / "secrets").mkdir(mode=0o700, exist_ok=True)
            (self.path / "run").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartError(f"data directory {error.filename or self.path}: {error.strerror}") from None

    def lock(self) -> None:
        """Until this process ends or unlock(). Raises StartError while another one holds it."""
        deadline = time.monotonic() + _ORPHANS_END
        while not self.try_lock():
            # Workers whose supervisor was killed hold the lock for the moment they need to notice.
            holder = self._holder()
            if holder is None or _is_running(holder) or time.monotonic() > deadline:
                who = f" (process {holder})" if holder else ""
                raise StartError(f"data directory {self.path} is in use by another MailRaven{who}")
            time.sleep(0.02)

    def try_lock(self) -> bool:
        """False: somebody else holds it."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"data directory {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor
        return True

    def is_locked(self) -> bool:
        """Whether a program uses it now; it is not disturbed, and nothing is made."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def unlock(self) -> None:
        """Lets others use it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _holder(self) -> int | None:
        try:
            return int((self.path / ".lock").read_text())
        except (OSError, ValueError):
            return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from None


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, mode 600 from the first moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
