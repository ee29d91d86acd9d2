"""What the servers cost: CPU seconds, counted by a control group where one can be made, and memory from smaps."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailraven.testing.running import family

_TICKS = os.sysconf("SC_CLK_TCK")


class Meter(Protocol):
    """Counts what a family of processes uses."""

    method: str

    def prefix(self) -> list[str]:
        """To be put before the command that starts the family."""

    def seconds(self) -> float:
        """CPU used so far, by ended processes too."""

    def pids(self) -> set[int]:
        """Who lives."""

    def close(self) -> None:
        """When all have ended."""


class ControlGroup:
    """The kernel counts, so that processes which live for a moment are counted too. For root."""

    def __init__(self, directory: Path, usage: Callable[[Path], float], method: str) -> None:
        self.method = method
        self._directory = directory
        self._usage = usage

    @classmethod
    def create(cls, name: str) -> "ControlGroup | None":
        """In the first hierarchy where that is allowed; None where it is nowhere."""
        for root, marker, usage in _HIERARCHIES:
            directory = root / f"mailraven-bench-{os.getpid()}-{name}"
            with suppress(OSError):
                if (root / marker).exists():
                    directory.mkdir()
                    return cls(directory, usage, f"control group below {root}")
        return None

    def prefix(self) -> list[str]:
        shell = shutil.which("sh") or "/bin/sh"
        return [shell, "-c", 'echo $$ >"$0" && exec "$@"', str(self._directory / "cgroup.procs")]

    def seconds(self) -> float:
        return self._usage(self._directory)

    def pids(self) -> set[int]:
        return {int(pid) for pid in (self._directory / "cgroup.procs").read_text().split()}

    def close(self) -> None:
        deadline = time.monotonic() + 10
        while self._directory.exists() and time.monotonic() < deadline:
            with suppress(OSError):  # busy: a process is still ending
                self._directory.rmdir()
                return
            time.sleep(0.05)


def _v1_seconds(directory: Path) -> float:
    return int((directory / "cpuacct.usage").read_text()) / 1e9


def _v2_seconds(directory: Path) -> float:
    words = (directory / "cpu.stat").read_text().split()
    return int(words[words.index("usage_usec") + 1]) / 1e6


_HIERARCHIES = (
    (Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage", _v1_seconds),
    (Path("/sys/fs/cgroup"), "cgroup.controllers", _v2_seconds),
    (Path("/sys/fs/cgroup/unified"), "cgroup.controllers", _v2_seconds),
)


@dataclass
class ProcessFamily:
    """Sums over the descendants of processes, with the children they have waited for, from proc(5)."""

    roots: Callable[[], list[int]]
    method: str = "sum over /proc"

    def prefix(self) -> list[str]:
        return []

    def seconds(self) -> float:
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
                total += sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
        return total / _TICKS

    def pids(self) -> set[int]:
        return {pid for root in self.roots() for pid in family(root)}

    def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Memory:
    """KiB. Of PSS a shared page counts in parts, so that sums are true."""

    rss: int
    pss: int


def measure_memory(pids: Iterable[int]) -> Memory:
    """The sums over processes."""
    rss = pss = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name == "Rss":
                    rss += int(rest.split()[0])
                elif name == "Pss":
                    pss += int(rest.split()[0])
    return Memory(rss, pss)
