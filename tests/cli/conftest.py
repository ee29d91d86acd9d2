"""Running `mailraven up`s that tests only talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailraven.testing.command_line import Instance, started
from mailraven.testing.commands import CommandLine


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Tests leave it running."""
    with started(tmp_path_factory.mktemp("up"), "--workers", "2", "--set", "health.interval=200ms") as instance:
        yield instance


@pytest.fixture(scope="session")
def mailraven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """One server for all tests of commands: each test has a domain of its own. Its DNS never answers: mail waits."""
    settings = ("--workers", "1", "--set", "delivery.resolver=127.0.0.1:9", "--set", "delivery.dns_timeout=200ms")
    with started(tmp_path_factory.mktemp("commands"), *settings, "--hostname", "mx.example.net") as instance:
        yield CommandLine(instance)


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    """A file with a good password."""
    path = tmp_path / "password"
    path.write_text("vK7-plum-ocean-84\n")
    return str(path)
