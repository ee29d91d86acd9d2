"""The store that the settings name."""

from pathlib import Path

import pytest

from mailraven.blobs import FileBlobStore, S3BlobStore, open_blob_store
from mailraven.config import BlobsConfig, ConfigError
from mailraven.testing.s3_server import S3Server


async def test_files_are_ready_to_use(tmp_path: Path) -> None:
    store = await open_blob_store(BlobsConfig(kind="file", directory=tmp_path / "some/where"))
    assert isinstance(store, FileBlobStore)
    await store.put("aa/bb/one", b"1")
    await store.close()


async def test_s3_is_ready_to_use(s3_server: S3Server) -> None:
    config = BlobsConfig.model_validate(
        {
            "kind": "s3",
            "s3": {
                "endpoint": s3_server.endpoint,
                "bucket": s3_server.bucket,
                "access_key": s3_server.access_key,
                "secret_key": s3_server.secret_key,
                "secure": False,
            },
        }
    )
    store = await open_blob_store(config)
    assert isinstance(store, S3BlobStore)
    await store.check()
    await store.close()


async def test_what_is_missing_for_s3_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        await open_blob_store(BlobsConfig(kind="s3"))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "blobs.s3.endpoint",
        "blobs.s3.access_key",
        "blobs.s3.secret_key",
    ]
    assert caught.value.problems[2].endswith("(variable MAILRAVEN_BLOBS__S3__SECRET_KEY)")
