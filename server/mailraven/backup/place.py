"""Where backups are: a directory or s3://BUCKET/PREFIX, and the key file."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from pathlib import Path

from mailraven.backup.errors import BackupError, NoRepository, TargetUnavailable, TargetUnusable, WrongKey
from mailraven.blobs import BlobStore, BlobUnavailable, BlobUnusable, FileBlobStore, open_s3
from mailraven.config import BackupConfig, S3Config

HEAD = "mailraven-backup"
"""The file that says that a place is one for backups."""
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


async def open_place(target: str, config: BackupConfig, blobs: S3Config, *, write: bool) -> BlobStore:
    """A directory is made when it is to be written to. Raises BackupError, ConfigError."""
    if not target:
        raise BackupError("no target: name one with --target, or set backup.target")
    if target.startswith("s3://"):
        return open_s3(_s3(target, config.s3, blobs), section="backup.s3", when="the target is s3://")
    if "://" in target:
        raise BackupError(f"{target}: a target is a directory or s3://BUCKET/PREFIX")
    store = FileBlobStore(_directory(target, write=write))
    try:
        if write:
            await store.open()
    except BlobUnusable as error:
        await store.close()
        raise TargetUnusable(str(error)) from None
    except BlobUnavailable as error:
        await store.close()
        raise TargetUnavailable(str(error)) from None
    return store


def _directory(target: str, *, write: bool) -> Path:
    directory = Path(target).absolute()
    if not write and not directory.is_dir():
        raise NoRepository(f"{directory} is not a directory")
    if not write and not (directory / HEAD).exists():
        raise NoRepository(f"there is no backup in {directory}")
    return directory


def _s3(target: str, own: S3Config, blobs: S3Config) -> S3Config:
    match = _BUCKET.fullmatch(target)
    segments = [one for one in (match[2] or "").split("/") if one] if match else []
    if match is None or not all(_SEGMENT.fullmatch(one) for one in segments):
        raise BackupError(f"{target}: expected s3://BUCKET or s3://BUCKET/PREFIX")
    given = {name: getattr(own, name) for name in own.model_fields_set}
    if given.get("access_key"):
        given.setdefault("credentials", "keys")
    return blobs.model_copy(update=given | {"bucket": match[1], "prefix": "".join(f"{one}/" for one in segments)})


def read_key(path: Path | None) -> bytes | None:
    """The key of a file; None: no file. Raises WrongKey."""
    if path is None:
        return None
    try:
        key = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except OSError as error:
        raise WrongKey(f"key file {path}: {error.strerror}") from None
    except (binascii.Error, UnicodeDecodeError):
        key = b""
    if len(key) != 32:
        raise WrongKey(f"key file {path}: expected 32 octets in base64 (`mailraven backup key FILE` makes one)")
    return key


def write_key(path: Path) -> None:
    """A new key, mode 600; never over another file. Raises BackupError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BackupError(f"key file {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
