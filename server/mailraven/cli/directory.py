"""Without a running server: a change of the directory on the database itself."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mailraven.directory import Directory

if TYPE_CHECKING:
    from mailraven.db import Database

T = TypeVar("T")


def with_directory(
    data: Path,
    files: Sequence[Path] | None,
    assignments: Sequence[str] | None,
    action: Callable[[Directory], Awaitable[T]],
    audit: tuple[str, str] | None = None,
) -> T:
    """What `action` returns; a change is audited. Raises the errors of app.expected."""
    from mailraven.app.access import open_dsn

    with open_dsn(data, files or (), os.environ, assignments or ()) as dsn:
        return asyncio.run(_run(dsn, action, audit))


async def _run(dsn: str, action: Callable[[Directory], Awaitable[T]], audit: tuple[str, str] | None) -> T:
    from mailraven.db import Database

    database = await Database.connect(dsn, size=1, application_name="mailraven-cli")
    directory = Directory(database)
    try:
        result = await action(directory)
        if audit is not None:
            await _record(database, *audit)
        return result
    finally:
        await directory.close()
        await database.close()


async def _record(database: "Database", action: str, target: str) -> None:
    from mailraven.audit import Entry, write

    async with database.transaction() as connection:
        await write(connection, Entry(actor="cli", ip="", request_id="", action=action, target=target))
