"""One running server for the tests with real clients."""

from collections.abc import Iterator

import pytest

from mailraven.testing.mail_clients import Mailserver, mailraven_up


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailserver]:
    """Shared: each test uses mailboxes or words of its own."""
    directory = tmp_path_factory.mktemp("up")
    with mailraven_up(directory, ["anna@example.test", "ben@example.test"]) as running:
        yield running
