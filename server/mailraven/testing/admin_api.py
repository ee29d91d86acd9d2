"""The admin API over a real database, called in this process (ASGI), with tokens of every role."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from mailraven.adminapi.api import make_api
from mailraven.adminapi.headers import Hardened
from mailraven.adminapi.services import ApiServices
from mailraven.app.compose import Nouns, build_nouns
from mailraven.app.servers import api_services
from mailraven.config import Config
from mailraven.directory.roles import Role
from mailraven.directory.tokens import NewToken, add_token
from mailraven.sealing import new_master_key
from mailraven.settings import write
from mailraven_api.settings import GROUPS, Group

PASSWORD = "correct horse battery staple 17"  # noqa: S105 - of the accounts of tests


class AdminApi:
    """`client` calls the API from 127.0.0.1 without a credential; the others with one."""

    def __init__(self, app: FastAPI, services: ApiServices, nouns: Nouns, peer: tuple[str, int]) -> None:
        self.app = app
        self.services = services
        self.nouns = nouns
        self.client = self.connect(peer=peer)

    def connect(
        self, token: str | None = None, *, peer: tuple[str, int] = ("127.0.0.1", 4711), https: bool = False
    ) -> httpx.AsyncClient:
        """A client of its own, with a token and a cookie jar."""
        transport = httpx.ASGITransport(app=Hardened(self.app), client=peer)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        scheme = "https" if https else "http"
        return httpx.AsyncClient(
            transport=transport, base_url=f"{scheme}://mail.example.test", headers=headers, trust_env=False
        )

    async def token(
        self,
        name: str = "test",
        role: Role = Role.SUPER_ADMIN,
        *,
        scopes: tuple[str, ...] = ("*",),
        account: str | None = None,
        domains: tuple[str, ...] = (),
        expires_at: datetime | None = None,
    ) -> str:
        """The secret of a new token."""
        account_id = None if account is None else (await self.services.directory.get_account(account)).id
        new = NewToken(name, role, scopes, account_id, domains, expires_at)
        async with self.services.database.transaction() as connection:
            return await add_token(connection, new)

    async def admin(self, name: str = "root") -> httpx.AsyncClient:
        """A client with a new token of a super-admin."""
        return self.connect(await self.token(name))

    async def account(
        self, address: str, *, role: Role = Role.USER, domains: tuple[str, ...] = (), password: str | None = PASSWORD
    ) -> int:
        """A new account; its domain is made when it is missing. `domains`: further ones that it administers."""
        directory, name = self.services.directory, address.rpartition("@")[2]
        for domain in (name, *domains):
            if not await directory.is_local_domain(domain):
                await directory.create_domain(domain)
        made = await directory.create_account(address, password)
        async with self.services.database.transaction() as connection:
            await connection.execute("UPDATE account SET role = $2 WHERE id = $1", made.id, role.value)
            await connection.execute(
                "INSERT INTO domain_admin SELECT $1, id FROM domain WHERE name = ANY ($2)", made.id, list(domains)
            )
        directory.invalidate()
        return made.id

    async def setting(self, group: Group, **values: Any) -> None:
        """Set a group of settings and wait until it is in force here."""
        async with self.services.database.transaction() as connection:
            await write(connection, group, GROUPS[group](**values), changed_by="test", expected=None)
        await self.services.settings.load()

    async def audit(self) -> list[dict[str, Any]]:
        """The whole audit log, the oldest first."""
        await self.services.audit.flush()
        async with self.services.database.acquire() as connection:
            rows = await connection.fetch("SELECT * FROM audit ORDER BY id")
        return [
            dict(row) | {name: json.loads(row[name]) if row[name] else None for name in ("before", "after")}
            for row in rows
        ]


@asynccontextmanager
async def running_admin_api(
    dsn: str, directory: Path, *, config: Mapping[str, Any] | None = None, peer: tuple[str, int] = ("127.0.0.1", 4711)
) -> AsyncIterator[AdminApi]:
    """All of it but the socket. `directory` gets the blobs; `config` overrides settings."""
    settings: dict[str, Any] = {
        "hostname": "mail.example.test",
        "blobs": {"kind": "file", "directory": str(directory / "blobs")},
        "secrets": {"key": new_master_key()},
        **(config or {}),
    }
    made = Config.model_validate(settings)
    nouns = await build_nouns(made, dsn)
    try:
        await nouns.database.listener.start()
        await nouns.settings.load()
        await nouns.gate.start()
        services = api_services(made, nouns)
        api = AdminApi(make_api(services), services, nouns, peer)
        async with api.client:
            yield api
    finally:
        await nouns.close()
