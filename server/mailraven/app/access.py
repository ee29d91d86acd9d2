"""The database for a command of the moment: that of the settings, or the embedded one, running or not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mailraven.app.data_directory import DataDirectory
from mailraven.app.errors import StartError
from mailraven.config import load
from mailraven.db import EmbeddedPostgres


@contextmanager
def open_dsn(
    data_path: Path, files: Sequence[Path], environ: Mapping[str, str], assignments: Sequence[str]
) -> Iterator[str]:
    """A URL that answers as long as the context is open."""
    data = DataDirectory(data_path)
    found = data.settings_files()
    config = load([*found, *files], environ, assignments)
    if config.database.url is not None:
        yield config.database.url.get_secret_value()
        return
    if not data.exists():
        raise StartError(
            f"no database: {data.path} is not a data directory of `mailraven up`; "
            "name one with --data, or set database.url"
        )
    postgres = EmbeddedPostgres(data.postgres)
    if not data.try_lock():  # `mailraven up` runs it
        yield postgres.dsn
        return
    try:
        postgres.start()
        yield postgres.dsn
    finally:
        postgres.stop()
        data.unlock()
