"""A whole instance for a command of the moment: its settings, its database and its blobs, whether it runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from mailraven.app.data_directory import DataDirectory
from mailraven.app.errors import StartError
from mailraven.app.master_key import with_master_key
from mailraven.blobs import BlobStore, open_blob_store
from mailraven.config import Config, load
from mailraven.db import Database, EmbeddedPostgres, migrate
from mailraven.telemetry import logs

_STATEMENT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Instance:
    """Open for a command."""

    database: Database
    blobs: BlobStore


@contextmanager
def instance_config(
    data_path: Path,
    files: Sequence[Path],
    environ: Mapping[str, str],
    assignments: Sequence[str],
    *,
    make: bool = False,
) -> Iterator[Config]:
    """Settings whose database answers as long as the context is open.

    `make`: an empty instance where there is none, with the schema of this version. Raises StartError, ConfigError.
    """
    data = DataDirectory(data_path)
    found = data.settings_files()
    config = load([*found, *files], environ, assignments, defaults={"log.output": "stderr", "log.level": "warning"})
    logs.configure(config.log.level, config.log.format, config.log.output)
    if config.database.url is not None:
        if make:
            asyncio.run(migrate(config.database.url.get_secret_value()))
        yield config
        return
    with _embedded(data, make=make) as dsn:
        defaults = {"blobs.directory": data.blobs, "log.output": "stderr", "log.level": "warning"}
        config = with_master_key(load([*found, *files], environ, assignments, defaults=defaults), data)
        database = config.database.model_copy(update={"url": SecretStr(dsn)})
        yield config.model_copy(update={"database": database})


@contextmanager
def _embedded(data: DataDirectory, *, make: bool) -> Iterator[str]:
    if not data.exists():
        if not make:
            raise StartError(
                f"no database: {data.path} is not a data directory of `mailraven up`; "
                "name one with --data, or set database.url"
            )
        data.create()
    postgres = EmbeddedPostgres(data.postgres)
    if not data.try_lock():  # `mailraven up` runs it
        yield postgres.dsn
        return
    try:
        postgres.start()
        if make:
            asyncio.run(migrate(postgres.dsn))
        yield postgres.dsn
    finally:
        postgres.stop()
        data.unlock()


@asynccontextmanager
async def open_instance(config: Config) -> AsyncIterator[Instance]:
    """Raises DatabaseUnavailable, BlobUnavailable, ConfigError."""
    assert config.database.url is not None  # noqa: S101 - instance_config has set it
    database = await Database.connect(
        config.database.url.get_secret_value(),
        size=3,
        application_name="mailraven-maintenance",
        command_timeout=_STATEMENT_SECONDS,
    )
    try:
        blobs = await open_blob_store(config.blobs)
        try:
            yield Instance(database, blobs)
        finally:
            await blobs.close()
    finally:
        await database.close()
