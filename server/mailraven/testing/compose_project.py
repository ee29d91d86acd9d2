"""A copy of docker-compose.yml and .env.example in a directory of its own, used as a newcomer uses them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailraven.testing.cluster import CommandFailed, until
from mailraven.testing.traffic import Address, Person

_PORTS = ("SMTP", "SUBMISSION", "SUBMISSIONS", "IMAP", "IMAPS", "HTTP")
_SECONDS = 300.0
# Only .env counts, as it does for somebody who has just made it.
_FOREIGN = re.compile(r"MAILRAVEN_|COMPOSE_|.*_(IMAGE|VOLUME|MEMORY|CPUS)$|PORT_")


class ComposeProject:
    """`settings` are lines of .env. Everything is removed at the end, volumes too."""

    def __init__(self, source: Path, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.name = f"mailraven-test-{secrets.token_hex(4)}"
        self.ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "docker-compose.yml").write_bytes((source / "docker-compose.yml").read_bytes())
        (directory / ".env").write_bytes((source / ".env.example").read_bytes())
        given = {f"PORT_{name}": str(port) for name, port in self.ports.items()}
        given |= {"MAIL_ADDRESS": "127.0.0.1", "COMPOSE_PROJECT_NAME": self.name}
        self.set(**given, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def set(self, **settings: str) -> None:
        """Changes lines of .env, or adds them."""
        path = self.directory / ".env"
        text = path.read_text(encoding="utf-8")
        for name, value in settings.items():
            line = f"{name}={value}"
            text, found = re.subn(rf"^{name}=.*$", lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
            text += "" if found else line + "\n"
        path.write_text(text, encoding="utf-8")

    def __call__(self, *arguments: str, stdin: str = "", seconds: float = _SECONDS) -> str:
        """What `docker compose …` printed. Raises CommandFailed, with what it said."""
        environment = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
        done = subprocess.run(  # noqa: S603 - tests choose the command
            ["docker", "compose", *arguments],  # noqa: S607
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=self.directory,
            env=environment,
        )
        if done.returncode:
            raise CommandFailed(f"{arguments}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def start(self) -> None:
        """From nothing, or again: until all are well."""
        for folder in ("secrets", "certs"):
            (self.directory / folder).mkdir(exist_ok=True)
        self("run", "--rm", "init")
        self.up()

    def up(self) -> None:
        """Until all are well."""
        try:
            self("up", "--detach", "--wait", "--wait-timeout", "200")
        except CommandFailed as error:
            raise CommandFailed(f"{error}\n{self('ps', '--all')}\n{self.logs()[-6000:]}") from None

    def remove(self) -> None:
        """All of it."""
        self("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")

    def mailraven(self, *arguments: str, stdin: str = "") -> str:
        """The command line, in its container."""
        return self("run", "--rm", "-T", "mailraven", *arguments, stdin=stdin)

    def add_person(self, address: str) -> Person:
        """A new account; its domain is there."""
        password = secrets.token_urlsafe(18)
        self.mailraven("user", "add", address, "--password-file", "-", stdin=password + "\n")
        return Person(address, password)

    def lift_limits(self, *people: Person) -> None:
        """For more mail than a person sends: all clients of this machine have one address, that of docker's bridge."""
        for key, values in (
            ("exempt_networks", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
            ("exempt_accounts", [person.address for person in people]),
        ):
            self.mailraven("config", "set", f"limits.{key}", json.dumps(values))

    def address(self, port: str) -> Address:
        """Where SMTP, SUBMISSION, … is reached."""
        return "127.0.0.1", self.ports[port]

    def container(self, service: str) -> str:
        """Its id; it may have ended."""
        return self("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What docker knows of the container of a service."""
        found: list[dict[str, Any]] = json.loads(_docker("inspect", self.container(service)))
        return found[0]

    def logs(self, *services: str) -> str:
        """All lines."""
        return self("logs", "--no-log-prefix", *services)

    def kill(self, service: str) -> None:
        """SIGKILL to a container's first process; its restart policy starts it again, as after any crash."""
        state = self.inspect(service)["State"]
        try:
            os.kill(state["Pid"], signal.SIGKILL)
        except (PermissionError, ProcessLookupError):  # docker is not ours, or elsewhere
            _docker("kill", self.container(service))
            _docker("start", self.container(service))
        until(lambda: self.inspect(service)["State"]["StartedAt"] != state["StartedAt"], f"{service} starts again")

    def until_well(self, *services: str) -> None:
        """Until their health checks say so."""
        for service in services:
            until(
                lambda service=service: self.inspect(service)["State"]["Health"]["Status"] == "healthy",  # type: ignore[misc]
                f"{service} is well",
                seconds=120,
            )

    @property
    def admin_token(self) -> str:
        """Of the HTTP API."""
        return (self.directory / "secrets" / "admin-token").read_text(encoding="ascii").strip()


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, S607
    if done.returncode:
        raise CommandFailed(f"docker {arguments}: {done.stderr[-2000:]}")
    return done.stdout


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
