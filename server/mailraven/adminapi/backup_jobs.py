"""Backups that the API starts: in a thread with a loop and connections of its own, so that mail does not wait."""

from __future__ import annotations

import asyncio
import threading

import structlog

from mailraven.backup.errors import BackupError
from mailraven.backup.job import Target, make_backup, yield_to_others
from mailraven.backup.progress import Progress
from mailraven.blobs import BlobError, open_blob_store
from mailraven.config import Config, ConfigError
from mailraven.db import Database, DatabaseUnavailable

_log = structlog.get_logger(component="backup")
_STATEMENT_SECONDS = 86_400.0


def start(config: Config, actor: str, run_id: int) -> None:
    """Returns at once; the run is in the book already. It ends with the process."""

    def work() -> None:
        yield_to_others()
        asyncio.run(_run(config, actor, run_id))

    threading.Thread(target=work, name="backup", daemon=True).start()


async def _run(config: Config, actor: str, run_id: int) -> None:
    try:
        await _back_up(config, actor, run_id)
    except (BackupError, BlobError, ConfigError, DatabaseUnavailable) as error:
        _log.error("backup_failed", run=run_id, reason=str(error))
    except Exception:  # noqa: BLE001 - nobody else looks at the thread
        _log.exception("backup failed", run=run_id)


async def _back_up(config: Config, actor: str, run_id: int) -> None:
    assert config.database.url is not None  # noqa: S101 - a server runs
    database = await Database.connect(
        config.database.url.get_secret_value(),
        size=2,
        application_name="mailraven-backup",
        command_timeout=_STATEMENT_SECONDS,
    )
    try:
        blobs = await open_blob_store(config.blobs)
        try:
            await make_backup(config, database, blobs, Target(), Progress(), actor=actor, run_id=run_id)
        finally:
            await blobs.close()
    finally:
        await database.close()
