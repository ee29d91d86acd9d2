"""The blob store that the settings name."""

from __future__ import annotations

from mailraven.blobs.files import FileBlobStore
from mailraven.blobs.s3 import S3BlobStore
from mailraven.blobs.store import BlobStore
from mailraven.config import BlobsConfig, ConfigError, S3Config


async def open_blob_store(config: BlobsConfig) -> BlobStore:
    """Ready to use; `check()` says whether it answers. Raises ConfigError, BlobUnavailable."""
    if config.kind == "file":
        store = FileBlobStore(config.directory)
        try:
            await store.open()
        except BaseException:
            await store.close()
            raise
        return store
    return open_s3(config.s3)


def open_s3(config: S3Config) -> S3BlobStore:
    """Raises ConfigError."""
    # The loader has read secret_key_file into secret_key.
    secret_key = config.secret_key.get_secret_value() if config.secret_key else ""
    needed = {
        "endpoint": config.endpoint,
        "bucket": config.bucket,
        "access_key": config.access_key,
        "secret_key": secret_key,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise ConfigError([f"blobs.s3.{name}: needed when blobs.kind is s3" for name in missing])
    return S3BlobStore(
        config.endpoint,
        config.bucket,
        config.access_key,
        secret_key,
        region=config.region,
        secure=config.secure,
        prefix=config.prefix,
        timeout=config.timeout,
        threads=config.threads,
    )
