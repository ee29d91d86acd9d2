"""Fixtures of the admin API: all of it over a real database, in this process."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mailraven.testing.admin_api import AdminApi, running_admin_api


@pytest.fixture
async def admin_api(dsn: str, tmp_path: Path) -> AsyncIterator[AdminApi]:
    """Empty."""
    async with running_admin_api(dsn, tmp_path) as running:
        yield running


@pytest.fixture
async def root_client(admin_api: AdminApi) -> AsyncIterator[httpx.AsyncClient]:
    """A super-admin's token."""
    async with await admin_api.admin() as client:
        yield client
