"""One account's mail through the admin API: short calls that have to succeed, or have to be refused in a known way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from mailraven.directory.roles import Role
from mailraven.testing.admin_api import AdminApi, running_admin_api

ANNA = "anna@example.org"
BEN = "ben@example.org"
RAW = {"Content-Type": "message/rfc822"}


class MailApi:
    """`client` acts as the account `address`."""

    def __init__(self, api: AdminApi, client: httpx.AsyncClient, address: str, account: int) -> None:
        self.api = api
        self.client = client
        self.address = address
        self.account = account
        self.base = f"/api/v1/accounts/{address}"

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer, which has this status."""
        answer = await self.client.request(method, self.base + path, **options)
        if answer.status_code != status:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        if status >= 400 and answer.headers["content-type"] != "application/problem+json":
            raise AssertionError(f"not a problem: {answer.headers}")
        return answer.json() if answer.content else None

    async def mailbox(self, name: str = "INBOX") -> dict[str, Any]:
        """A mailbox by name."""
        boxes = (await self.call("GET", "/mailboxes"))["items"]
        found: dict[str, Any] = next(box for box in boxes if box["name"] == name)
        return found

    async def inbox(self) -> int:
        """The id of INBOX."""
        return int((await self.mailbox())["id"])

    async def upload(self, raw: bytes, mailbox: int | None = None, **params: Any) -> int:
        """The UID of an uploaded message."""
        where = await self.inbox() if mailbox is None else mailbox
        path = f"/mailboxes/{where}/messages"
        made = await self.call("POST", path, 201, content=raw, headers=RAW, params=params)
        return int(made["uid"])

    async def messages(self, mailbox: int | None = None, **params: Any) -> list[dict[str, Any]]:
        """A page of a mailbox."""
        where = await self.inbox() if mailbox is None else mailbox
        page = await self.call("GET", f"/mailboxes/{where}/messages", params=params)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def uids(self, mailbox: int | None = None, **params: Any) -> list[int]:
        """UIDs of a page."""
        return [message["uid"] for message in await self.messages(mailbox, **params)]


@asynccontextmanager
async def running_mail_api(
    dsn: str, directory: Path, *, config: dict[str, Any] | None = None
) -> AsyncIterator[tuple[MailApi, MailApi]]:
    """Anna and Ben of one domain, each with a token of their own."""
    settings = {"blobs": {"directory": str(directory / "blobs"), "inline_max": 4096}, **(config or {})}
    async with running_admin_api(dsn, directory, config=settings) as api:
        both = []
        for address in (ANNA, BEN):
            account = await api.account(address, password=None)
            token = await api.token(address, Role.USER, account=address)
            both.append(MailApi(api, api.connect(token), address, account))
        anna, ben = both
        async with anna.client, ben.client:
            yield anna, ben
