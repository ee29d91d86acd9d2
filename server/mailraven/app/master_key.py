"""The master key of `mailraven up`: made at the first start and never replaced, for only it opens what it sealed."""

import os
from pathlib import Path

from pydantic import SecretStr

from mailraven.app.data_directory import DataDirectory, write_private
from mailraven.app.errors import StartError
from mailraven.config import Config, ConfigError
from mailraven.sealing import Sealer, new_master_key


def with_master_key(config: Config, data: DataDirectory) -> Config:
    """The settings with the key of the data directory, unless they name one: then it still opens what it sealed.

    Raises StartError, ConfigError.
    """
    secrets = config.secrets
    if secrets.key is not None:
        if data.master_key.exists() and data.master_key not in secrets.previous_key_files:
            files = (*secrets.previous_key_files, data.master_key)
            secrets = secrets.model_copy(update={"previous_key_files": files})
    else:
        secrets = secrets.model_copy(update={"key": SecretStr(_read_or_make(data.master_key))})
    try:
        Sealer.of(secrets)
    except ConfigError as error:
        if config.secrets.key is None and not config.secrets.previous_key_files:
            raise StartError(f"{data.master_key} is damaged: put back the one of your backup") from None
        raise error from None
    return config.model_copy(update={"secrets": secrets})


def _read_or_make(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not base64"
        raise StartError(f"{path}: {reason}") from None


def _make(path: Path) -> None:
    """Whole or not at all, mode 600 from the first moment; the lock of the data directory keeps others away."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(path, new_master_key() + "\n")
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # a key that a crash takes back would leave sealed rows that nothing opens
    finally:
        os.close(directory)
