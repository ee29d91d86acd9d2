"""Backups started by the API: to the configured target only, one at a time, with their progress."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from mailraven.backup.runs import last_good
from mailraven.blobs.files import FileBlobStore
from mailraven.testing.admin_api import running_admin_api


async def ended(client: httpx.AsyncClient, run: int) -> dict[str, object]:
    async with asyncio.timeout(30):
        while True:
            found: dict[str, object] = (await client.get(f"/api/v1/backups/{run}")).json()
            if found["state"] != "running":
                return found
            await asyncio.sleep(0.02)


async def test_a_backup_and_its_run(dsn: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    settings = {"backup": {"target": str(target)}, "database": {"url": dsn}}
    async with running_admin_api(dsn, tmp_path / "server", config=settings) as api:
        client = await api.admin()
        started = await client.post("/api/v1/backups")
        assert started.status_code == 202, started.text
        run = await ended(client, started.json()["id"])
        assert (run["state"], run["error"]) == ("done", "")
        store = FileBlobStore(target)
        assert [item.key async for item in store.list("snapshots/")] != []
        await store.close()
        listed = (await client.get("/api/v1/backups")).json()["items"]
        assert [one["name"] for one in listed] == [run["name"]]
        async with api.services.database.acquire() as connection:
            assert abs(await last_good(connection) - time.time()) < 60
        assert "backup.start" in {entry["action"] for entry in await api.audit()}


async def test_without_a_target(dsn: str, tmp_path: Path) -> None:
    async with running_admin_api(dsn, tmp_path / "server") as api:
        client = await api.admin()
        refused = await client.post("/api/v1/backups")
        assert refused.status_code == 409
        assert "backup.target" in refused.json()["detail"]
        assert (await client.get("/api/v1/backups/1")).status_code == 404


async def test_one_at_a_time_and_a_killed_one_is_forgotten(dsn: str, tmp_path: Path) -> None:
    settings = {"backup": {"target": str(tmp_path / "target")}, "database": {"url": dsn}}
    async with running_admin_api(dsn, tmp_path / "server", config=settings) as api:
        client = await api.admin()
        async with api.services.database.acquire() as connection:
            other = await connection.fetchval(
                "INSERT INTO backup_run (actor, target) VALUES ('somebody', 'x') RETURNING id"
            )
        assert (await client.post("/api/v1/backups")).status_code == 409
        async with api.services.database.acquire() as connection:
            await connection.execute("UPDATE backup_run SET updated_at = now() - interval '11 minutes'")
        assert (await client.get(f"/api/v1/backups/{other}")).json()["state"] == "failed"
        started = await client.post("/api/v1/backups")
        assert started.status_code == 202
        assert (await ended(client, started.json()["id"]))["state"] == "done"


async def test_what_goes_wrong_is_in_the_book(dsn: str, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    settings = {"backup": {"target": str(blocked / "target")}, "database": {"url": dsn}}
    async with running_admin_api(dsn, tmp_path / "server", config=settings) as api:
        client = await api.admin()
        started = await client.post("/api/v1/backups")
        run = await ended(client, started.json()["id"])
        assert run["state"] == "failed"
        assert run["error"]


pytestmark = pytest.mark.timeout(90)
