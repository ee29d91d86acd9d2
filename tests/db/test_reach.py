"""What is said when Postgres cannot be reached: which server, why, and no secret."""

import socket

import asyncpg
import pytest

from mailraven.config import ConfigError
from mailraven.db import Database, DatabaseUnavailable, MigrationError, migrate
from mailraven.db.reach import address_of, reason_of
from mailraven.testing.postgres import TestCluster


@pytest.fixture
def nobody() -> str:
    """A URL where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"postgresql://user:geheim@127.0.0.1:{probe.getsockname()[1]}/mail"


async def test_a_refused_connection_names_the_server_and_the_reason(nobody: str) -> None:
    for attempt in (Database.connect(nobody), migrate(nobody)):
        with pytest.raises(DatabaseUnavailable) as caught:
            await attempt
        assert str(caught.value) == f"database {address_of(nobody)} does not answer: Connection refused"


async def test_a_host_that_does_not_exist_is_said() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"database nowhere\.invalid:5432 does not answer: no such host"):
        await Database.connect("postgresql://user:geheim@nowhere.invalid:5432/mail")


async def test_a_wrong_name_of_the_database_is_the_servers_word(dsn: str) -> None:
    wrong = dsn.replace(dsn.rpartition("/")[2].partition("?")[0], "not_there")
    with pytest.raises(DatabaseUnavailable, match='refuses the connection: database "not_there" does not exist'):
        await Database.connect(wrong)


async def test_a_url_that_the_driver_cannot_use_is_a_wrong_setting(nobody: str) -> None:
    with pytest.raises(ConfigError, match=r"MAILRAVEN_DATABASE__URL.*sslmode"):
        await Database.connect(f"{nobody}?sslmode=perhaps")


async def test_a_user_who_may_make_no_tables_is_told_so(cluster: TestCluster) -> None:
    dsn = await cluster.create_async(template=False)
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        await owner.execute("CREATE ROLE guest LOGIN")
    except asyncpg.DuplicateObjectError:
        pass  # roles belong to the whole cluster
    finally:
        await owner.close()
    with pytest.raises(MigrationError, match="the database's user may not make tables: permission denied"):
        await migrate(_as_user(dsn, "guest"))


def _as_user(dsn: str, user: str) -> str:
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{user}@{rest.rpartition('@')[2]}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "Multiple exceptions: [Errno 111] a, [Errno"),
        (asyncpg.CannotConnectNowError("the database system is starting up"), "the database system is starting up"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_reasons_are_a_few_words(error: BaseException, words: str) -> None:
    assert reason_of(error).startswith(words)


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("postgresql://u:p@db:5432/x", "db:5432"),
        ("postgresql://u:p%40@[::1]:5432/x", "[::1]:5432"),
        ("postgresql:///x?host=/run/postgresql", ""),
        ("postgresql://u:p@[broken/x", ""),
    ],
)
def test_an_address_has_no_secret(dsn: str, address: str) -> None:
    assert address_of(dsn) == address
