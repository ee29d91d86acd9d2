"""A real S3 server for the session, and one store of each kind."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mailraven.blobs import BlobStore, FileBlobStore, S3BlobStore
from mailraven.testing.s3_server import S3Server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Shared by tests: each uses a prefix of its own."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3_store() -> Callable[..., S3BlobStore]:
    """Makes a store on a server."""

    def make(server: S3Server, **options: object) -> S3BlobStore:
        settings = {
            "bucket": server.bucket,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "secure": False,
            "timeout": 5.0,
            **options,
        }
        return S3BlobStore(server.endpoint, **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture(params=["file", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, s3_store: Callable[..., S3BlobStore]
) -> AsyncIterator[BlobStore]:
    """An empty store."""
    made: BlobStore
    if request.param == "file":
        made = FileBlobStore(tmp_path / "blobs")
        await made.open()
    else:
        made = s3_store(request.getfixturevalue("s3_server"), prefix=f"{uuid4().hex}/")
    yield made
    await made.close()
