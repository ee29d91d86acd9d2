"""`mailraven migrate --wait`: a database that comes later."""

import asyncio
import subprocess
from urllib.parse import urlsplit

import asyncpg
import pytest

from mailraven.testing.command_line import ENVIRONMENT, MAILRAVEN, run
from mailraven.testing.postgres import TestCluster


def execute(dsn: str, sql: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(work())


@pytest.fixture
def away(cluster: TestCluster) -> str:
    """Of a database that is not there."""
    dsn = cluster.create(template=False)
    asyncio.run(cluster.drop_async(dsn))
    return dsn


def migrate(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [MAILRAVEN, "migrate", *arguments],
        env={**ENVIRONMENT, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_waits_for_a_database_that_is_not_there_yet(cluster: TestCluster, away: str) -> None:
    name = urlsplit(away).path.strip("/")
    with migrate("--wait", "1m", MAILRAVEN_DATABASE__URL=away) as process:
        assert process.stderr is not None
        assert "waiting: " in process.stderr.readline()
        execute(cluster.dsn("postgres"), f"CREATE DATABASE {name}")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "applied 0001" in output
    asyncio.run(cluster.drop_async(away))


def test_it_gives_up_and_says_why(away: str) -> None:
    with migrate("--wait", "1500ms", MAILRAVEN_DATABASE__URL=away) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "does not exist" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("text", ["soon", "-1s", ""])
def test_a_duration_is_a_duration(dsn: str, text: str) -> None:
    with migrate(f"--wait={text}", MAILRAVEN_DATABASE__URL=dsn) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--wait" in errors
    assert "expected a duration" in errors


def test_without_it_the_first_answer_counts(dsn: str) -> None:
    assert run("migrate", MAILRAVEN_DATABASE__URL=dsn).stdout == "the schema is current\n"
