"""Blob stores: message bytes by key, on a file system or in S3."""

from mailraven.blobs.files import FileBlobStore
from mailraven.blobs.opening import open_blob_store, open_s3
from mailraven.blobs.s3 import S3BlobStore
from mailraven.blobs.store import (
    BlobError,
    BlobInfo,
    BlobMissing,
    BlobRefused,
    BlobStore,
    BlobUnavailable,
    BlobUnusable,
)

__all__ = [
    "BlobError",
    "BlobInfo",
    "BlobMissing",
    "BlobRefused",
    "BlobStore",
    "BlobUnavailable",
    "BlobUnusable",
    "FileBlobStore",
    "S3BlobStore",
    "open_blob_store",
    "open_s3",
]
