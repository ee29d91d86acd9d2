"""The blob store that the settings name."""

from __future__ import annotations

from mailraven.blobs.files import FileBlobStore
from mailraven.blobs.s3 import S3BlobStore
from mailraven.blobs.store import BlobStore
from mailraven.config import BlobsConfig, ConfigError, S3Config, variable_of


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


def open_s3(config: S3Config, *, section: str = "blobs.s3", when: str = "blobs.kind is s3") -> S3BlobStore:
    """`section` and `when` are for the text of the error. Raises ConfigError."""
    # The loader has read secret_key_file into secret_key.
    secret_key = config.secret_key.get_secret_value() if config.secret_key else ""
    workload = config.credentials == "workload"
    needed = {"endpoint": config.endpoint, "bucket": config.bucket}
    if not workload:
        needed |= {"access_key": config.access_key, "secret_key": secret_key}
    if missing := [name for name, value in needed.items() if not value]:
        keys = [f"{section}.{name}" for name in missing]
        raise ConfigError([f"{key}: needed when {when} (variable {variable_of(key.split('.'))})" for key in keys])
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
        create_bucket=config.create_bucket,
        workload=workload,
        sts_endpoint=config.sts_endpoint,
    )
