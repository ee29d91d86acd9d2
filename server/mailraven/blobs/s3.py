"""Blobs in an S3 bucket, by the minio client off the event loop. It is imported when a store is made."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import itertools
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from mailraven.blobs.store import BlobInfo, BlobMissing, BlobRefused, BlobUnavailable, check_key, check_range

if TYPE_CHECKING:
    from minio import Minio

T = TypeVar("T")

_PAGE = 500
_RETRIES = 2
_RETRY_STATUSES = (500, 502, 503, 504)
_CONNECT_SECONDS = 5.0
_CONTENT_TYPE = "message/rfc822"
_MISSING = "NoSuchKey"
_NO_BUCKET = "NoSuchBucket"
# No time mends these: somebody has to make the bucket, or give the keys their rights.
_REFUSED = frozenset({_NO_BUCKET, "AccessDenied", "InvalidAccessKeyId", "InvalidBucketName", "SignatureDoesNotMatch"})
_IS_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
_BEYOND_END = "InvalidRange"  # RFC 9110 §15.5.17
# Some servers call their errors text/xml, which the client does not read: its exception has them as text.
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")


class S3BlobStore:
    """`endpoint` is host[:port]. Objects are `prefix` + key; the bucket has to exist, but with `create_bucket`.

    `workload`: the keys are those that the platform gives this process (docs/configuration.md), not the ones given.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str,
        *,
        region: str = "",
        secure: bool = True,
        prefix: str = "",
        timeout: float = 30.0,
        threads: int = 8,
        create_bucket: bool = False,
        workload: bool = False,
        sts_endpoint: str = "",
    ) -> None:
        import minio  # some 40 ms and 10 MiB that a server with files never pays
        import urllib3

        from mailraven.blobs.workload import workload_keys

        # Every request here is idempotent, so that a lost answer may be asked for again.
        retries = urllib3.Retry(
            total=_RETRIES,
            backoff_factor=0.2,
            status_forcelist=_RETRY_STATUSES,
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,  # a thread must not sleep as long as the server likes
        )
        self._http = urllib3.PoolManager(
            num_pools=4,
            maxsize=threads,
            retries=retries,
            timeout=urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
        )
        self._client: Minio = minio.Minio(
            endpoint,
            access_key=None if workload else access_key,
            secret_key=None if workload else secret_key,
            credentials=workload_keys(sts_endpoint, region) if workload else None,
            region=region or "us-east-1",  # named, or the client would ask for it first
            secure=secure,
            http_client=self._http,
        )
        self._bucket = bucket
        self._create_bucket = create_bucket
        self._prefix = prefix
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="s3")

    async def put(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        check_key(key)
        await self._run(key, lambda: self._put(self._prefix + key, data))

    async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See BlobStore."""
        check_key(key)
        check_range(offset, length)
        return await self._run(key, lambda: self._get(self._prefix + key, offset, length))

    async def delete(self, key: str) -> None:
        """See BlobStore."""
        check_key(key)
        with contextlib.suppress(BlobMissing):
            await self._run(key, lambda: self._client.remove_object(self._bucket, self._prefix + key))

    async def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """See BlobStore."""
        objects = self._client.list_objects(self._bucket, prefix=self._prefix + prefix, recursive=True)
        while page := await self._run(prefix, lambda: list(itertools.islice(objects, _PAGE))):
            for item in page:
                if not item.is_dir and item.last_modified is not None:
                    name = item.object_name or ""
                    yield BlobInfo(name.removeprefix(self._prefix), item.size or 0, item.last_modified)

    async def check(self) -> None:
        """See BlobStore: asks for the bucket, with the keys it is used with."""
        if not await self._run("", self._has_bucket):
            raise BlobRefused(f"bucket {self._bucket} does not exist")

    async def close(self) -> None:
        """See BlobStore."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)
        self._http.clear()

    async def _run(self, key: str, work: Callable[[], T]) -> T:
        import minio
        import urllib3

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._with_bucket, work)
        except (
            minio.error.MinioException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,  # an answer that is no UTF-8
            SyntaxError,  # or no XML (ElementTree.ParseError)
        ) as error:
            code = _error_code(error)
            if code == _MISSING:
                raise BlobMissing(key) from error
            kind = BlobRefused if code in _REFUSED else BlobUnavailable
            raise kind(f"S3 bucket {self._bucket}: {code or _first_line(error)}") from error

    def _with_bucket(self, work: Callable[[], T]) -> T:
        import minio

        try:
            return work()
        except minio.error.MinioException as error:
            if not self._create_bucket or _error_code(error) != _NO_BUCKET:
                raise
        self._make_bucket()
        return work()

    def _has_bucket(self) -> bool:
        if not self._client.bucket_exists(self._bucket):
            if not self._create_bucket:
                return False
            self._make_bucket()
        return True

    def _make_bucket(self) -> None:
        import minio

        try:
            self._client.make_bucket(self._bucket)
        except minio.error.MinioException as error:
            if _error_code(error) not in _IS_THERE:  # another process was quicker
                raise

    def _put(self, name: str, data: bytes) -> None:
        # The client sends a digest of the content, which the server compares (SHA-256, or MD5 under TLS).
        result = self._client.put_object(self._bucket, name, io.BytesIO(data), len(data), content_type=_CONTENT_TYPE)
        if (result.etag or "").strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return
        # With server-side encryption the ETag is something else: the size must do.
        stored = self._client.stat_object(self._bucket, name).size
        if stored != len(data):
            raise OSError(f"stored {stored} of {len(data)} octets")

    def _get(self, name: str, offset: int, length: int | None) -> bytes:
        import minio

        if length == 0:  # S3 has no empty range
            self._client.stat_object(self._bucket, name)
            return b""
        try:
            response = self._client.get_object(self._bucket, name, offset=offset, length=length or 0)
        except minio.error.MinioException as error:
            if _error_code(error) == _BEYOND_END:
                return b""
            raise
        try:
            return response.data
        finally:
            response.close()
            response.release_conn()


def _error_code(error: Exception) -> str:
    """The code of S3's answer, or nothing."""
    if code := getattr(error, "code", None):
        return str(code)
    match = _CODE.search(str(error))
    return match[1] if match else ""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
