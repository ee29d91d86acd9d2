"""Runs a change of the directory for a command."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mailraven.cli.problems import reported
from mailraven.directory import Directory

T = TypeVar("T")


def with_directory(
    data: Path,
    files: Sequence[Path] | None,
    assignments: Sequence[str] | None,
    action: Callable[[Directory], Awaitable[T]],
) -> T:
    """What `action` returns; problems end the command."""
    from mailraven.app.access import open_dsn

    with reported(), open_dsn(data, files or (), os.environ, assignments or ()) as dsn:
        return asyncio.run(_run(dsn, action))


async def _run(dsn: str, action: Callable[[Directory], Awaitable[T]]) -> T:
    from mailraven.db import Database

    database = await Database.connect(dsn, size=1, application_name="mailraven-cli")
    directory = Directory(database)
    try:
        return await action(directory)
    finally:
        await directory.close()
        await database.close()
