"""A server under measurement: what both sides have in common, and ours."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from accounting import ControlGroup, Meter, ProcessFamily

from mailraven.testing.running import RunningServer

DOMAIN = "bench.test"
USERS = 50


@dataclass
class Side:
    """Where a server is, who its users are and what it costs."""

    name: str
    meter: Meter
    smtp: tuple[str, int]
    imap: tuple[str, int]
    users: list[tuple[str, str]]
    imaps: tuple[str, int] | None = None
    ca_file: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    refresh: Callable[[], object] | None = None  # begins anew, with memory that earlier work has not stretched


class MailRaven:
    """`mailraven up` with its defaults: durable Postgres, a worker for each core. Only passwords go without TLS."""

    name = "ours"

    def __init__(self, directory: Path) -> None:
        users = [f"u{number}@{DOMAIN}" for number in range(1, USERS + 1)]
        group = ControlGroup.create(self.name)
        self._meter: Meter = group or ProcessFamily(lambda: [self.server.pid])
        self.server = RunningServer(
            directory,
            users=users,
            settings={"imap.allow_plaintext_login_from_loopback": "true"},
            prefix=self._meter.prefix(),
        )
        self.first_start_seconds = self.server.start(timeout=120)
        self.side = self._describe()

    def _describe(self) -> Side:
        server = self.server
        return Side(
            self.name,
            self._meter,
            server.address("smtp"),
            server.address("imap"),
            [(address, server.passwords[address]) for address in _in_order(server.passwords)],
            server.address("imaps"),
            str(server.ready["ca_file"]),
            {"mailraven": _first_line([Path(sys.executable).with_name("mailraven"), "version"])},
            self.restart,
        )

    def restart(self) -> float:
        """Seconds from the command to ready, on the directory as it is."""
        self.server.stop()
        return self.server.start()

    def close(self) -> None:
        """Stop it."""
        with contextlib.suppress(RuntimeError):  # it took too long and was killed
            self.server.stop()
        self._meter.close()


def _in_order(passwords: dict[str, str]) -> list[str]:
    return sorted(passwords, key=lambda address: int(address.partition("@")[0][1:]))


def _first_line(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout.splitlines() or ["unknown"])[0]
