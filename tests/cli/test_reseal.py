"""`mailraven reseal`: from the old master key to the new one."""

import asyncio
import datetime as dt
from pathlib import Path

import asyncpg

from mailraven.certificates import check_upload, put_certificate
from mailraven.config import load
from mailraven.sealing import Sealer, certificate_purpose, new_master_key
from mailraven.testing.authority import Authority
from mailraven.testing.command_line import run


def test_reseal(tmp_path: Path, dsn: str) -> None:
    keys = {name: new_master_key() for name in ("old", "new", "lost")}
    for name, key in keys.items():
        (tmp_path / name).write_text(key + "\n")
    asyncio.run(fill(dsn, {name: sealer(key) for name, key in keys.items() if name != "new"}))
    variables = {
        "MAILRAVEN_DATABASE__URL": dsn,
        "MAILRAVEN_DATA": str(tmp_path / "none"),
        "MAILRAVEN_SECRETS__KEY_FILE": str(tmp_path / "new"),
        "MAILRAVEN_SECRETS__PREVIOUS_KEY_FILES": str(tmp_path / "old"),
    }
    done = run("reseal", code=1, **variables)
    assert done.stdout == "sealed 1 anew; 0 had the first key already\n"
    assert "certificate lost was sealed with master key" in done.stderr
    assert sealer(keys["new"]).open(certificate_purpose("old"), asyncio.run(sealed(dsn, "old")))
    variables["MAILRAVEN_SECRETS__PREVIOUS_KEY_FILES"] += f",{tmp_path / 'lost'}"
    assert run("reseal", code=0, **variables).stdout == "sealed 1 anew; 1 had the first key already\n"
    assert run("reseal", code=0, **variables).stdout == "sealed 0 anew; 2 had the first key already\n"


def test_without_a_master_key(tmp_path: Path, dsn: str) -> None:
    done = run("reseal", code=1, MAILRAVEN_DATABASE__URL=dsn, MAILRAVEN_DATA=str(tmp_path / "none"))
    assert "no master key: set secrets.key_file" in done.stderr


def sealer(key: str) -> Sealer:
    return Sealer.of(load(environ={"MAILRAVEN_SECRETS__KEY": key}).secrets)


async def fill(dsn: str, sealers: dict[str, Sealer]) -> None:
    issued = Authority().issue("a.test")
    checked = check_upload(issued.chain, issued.private_key, dt.datetime.now(dt.UTC))
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            for name, one in sealers.items():
                await put_certificate(connection, one, name, checked)
    finally:
        await connection.close()


async def sealed(dsn: str, name: str) -> bytes:
    connection = await asyncpg.connect(dsn)
    try:
        found: bytes = await connection.fetchval("SELECT key_sealed FROM certificate WHERE name = $1", name)
        return found
    finally:
        await connection.close()
