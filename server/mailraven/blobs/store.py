"""What a blob store promises, whichever is behind it. A key is written once and never changed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

KEY_OCTETS = 512
# Segments start with a letter or digit: no '..', no hidden names, no absolute paths, in any store.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,199})*")


class BlobError(Exception):
    """Parent of the others."""


class BlobMissing(BlobError):
    """No blob of this key. For a key that a row names this is damage, not an ordinary answer."""


class BlobUnavailable(BlobError):
    """The store cannot be reached, is full or fails: the same request may succeed later."""


class BlobRefused(BlobUnavailable):
    """The service says no, as it will until somebody gives it the bucket or the keys their rights."""


class BlobUnusable(BlobUnavailable):
    """The store cannot be opened until somebody mends it: read-only, not ours, no directory."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """`modified` is aware: collectors compare it with their grace period."""

    key: str
    size: int
    modified: datetime


class BlobStore(Protocol):
    """All methods raise BlobUnavailable; a bad key or a negative range is a ValueError."""

    async def put(self, key: str, data: bytes) -> None:
        """Durable on return. A reader sees all of it or nothing; the same key again replaces."""

    async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """The octets from `offset`, at most `length`; less or none beyond the end. Raises BlobMissing."""

    async def delete(self, key: str) -> None:
        """A blob that is not there is deleted already."""

    def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """Whose key starts with `prefix`, in the order of the keys' octets."""

    async def check(self) -> None:
        """Whether a put would succeed now; the error's text says why not."""

    async def close(self) -> None:
        """Give threads and connections back."""


def check_key(key: str) -> None:
    """Raises ValueError."""
    if len(key) > KEY_OCTETS or not _KEY.fullmatch(key):
        raise ValueError(f"not a blob key: {key[:80]!r}")


def check_range(offset: int, length: int | None) -> None:
    """Raises ValueError."""
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length of a range are not negative")
