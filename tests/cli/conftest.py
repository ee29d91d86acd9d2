"""One running `mailraven up` for each module that only looks at it."""

from collections.abc import Iterator

import pytest

from mailraven.testing.command_line import Instance, started


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Tests leave it running."""
    with started(tmp_path_factory.mktemp("up"), "--workers", "2", "--set", "health.interval=200ms") as instance:
        yield instance
