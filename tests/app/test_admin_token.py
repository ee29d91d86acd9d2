"""The bearer token that a mounted secret holds."""

import secrets
from pathlib import Path

import pytest

from mailraven.app.admin_token import AdminTokenFile
from mailraven.db import Database
from mailraven.directory import Directory


def fresh() -> str:
    return "mr_" + secrets.token_urlsafe(32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "admin-token"


async def test_the_token_of_the_file_opens_the_api(database: Database, file: Path) -> None:
    secret = fresh()
    file.write_text(secret + "\n")
    await AdminTokenFile(database, file).look()
    assert await Directory(database).verify_token(secret) == "bootstrap"


async def test_another_token_in_the_file_ends_the_one_before(database: Database, file: Path) -> None:
    before, after = fresh(), fresh()
    token, other_process = AdminTokenFile(database, file), AdminTokenFile(database, file)
    file.write_text(before)
    await token.look()
    await other_process.look()
    file.write_text(after)
    await token.look()
    await other_process.look()
    directory = Directory(database)
    assert await directory.verify_token(before) is None
    assert await directory.verify_token(after) == "bootstrap"
    async with database.acquire() as connection:
        entries = await connection.fetch("SELECT * FROM audit WHERE action = 'token.keep'")
    assert len(entries) == 2
    assert before not in str(entries)


async def test_a_token_that_somebody_bound_or_ended_is_whole_again(database: Database, file: Path) -> None:
    secret = fresh()
    file.write_text(secret)
    await AdminTokenFile(database, file).look()
    async with database.acquire() as connection:
        await connection.execute("UPDATE api_token SET expires_at = now() - interval '1 day', scopes = '{read}'")
    await AdminTokenFile(database, file).look()
    assert await Directory(database).verify_token(secret) == "bootstrap"


@pytest.mark.parametrize("content", [b"", b"hunter2-secret", b"mr_short", b"mr_" + b"a" * 44, b"\xff\xfe"])
async def test_what_is_no_token_leaves_the_one_before(
    database: Database, file: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = fresh()
    file.write_text(secret)
    token = AdminTokenFile(database, file)
    await token.look()
    file.write_bytes(content)
    await token.look()
    assert await Directory(database).verify_token(secret) == "bootstrap"
    assert "hunter2" not in capsys.readouterr().out


async def test_a_file_that_is_away_is_waited_for(database: Database, file: Path) -> None:
    token = AdminTokenFile(database, file)
    await token.look()
    secret = fresh()
    file.write_text(secret)
    await token.look()
    assert await Directory(database).verify_token(secret) == "bootstrap"


async def test_a_secret_that_is_another_token_s_is_refused(database: Database, file: Path) -> None:
    directory = Directory(database)
    file.write_text(await directory.create_token("monitoring"))
    await AdminTokenFile(database, file).look()
    assert await directory.verify_token(file.read_text()) == "monitoring"
