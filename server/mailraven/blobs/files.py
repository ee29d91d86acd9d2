"""Blobs on a file system: written aside, fsynced, renamed into place, the directories fsynced."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog

from mailraven.blobs.store import BlobInfo, BlobMissing, BlobUnavailable, BlobUnusable, check_key, check_range

T = TypeVar("T")

_log = structlog.get_logger(component="blobs")

_ASIDE = ".incoming"  # keys cannot start with a dot
_STALE_SECONDS = 3600.0  # an unfinished file of this age belongs to nobody: no put takes so long
_PAGE = 500
_KNOWN_DIRECTORIES = 100_000
_HOPELESS = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class FileBlobStore:
    """Several processes, also on several hosts, may share the directory."""

    def __init__(self, directory: Path, *, threads: int = 8) -> None:
        self._root = directory
        self._aside = directory / _ASIDE
        self._durable: set[Path] = set()  # directories whose entry in their parent this process has fsynced
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="blob")

    async def open(self) -> None:
        """Make the directory and remove what crashed puts left. Raises BlobUnavailable, BlobUnusable.

        A full disk is no reason not to serve what is there: it is logged.
        """
        try:
            await self._run(self._open)
        except BlobUnavailable as error:
            if getattr(error.__cause__, "errno", None) not in _HOPELESS:
                raise
            wanted = f"expected a directory that user {os.geteuid()} may write to"
            raise BlobUnusable(f"{error}: {wanted}") from error

    async def put(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        check_key(key)
        await self._run(lambda: self._put(self._root / key, data))

    async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See BlobStore."""
        check_key(key)
        check_range(offset, length)
        return await self._run(lambda: self._get(key, offset, length))

    async def delete(self, key: str) -> None:
        """See BlobStore. Not fsynced: a blob that comes back after a crash is an orphan, as it was before."""
        check_key(key)
        await self._run(lambda: (self._root / key).unlink(missing_ok=True))

    async def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """See BlobStore."""
        blobs = self._walk("", prefix)
        while page := await self._run(lambda: list(itertools.islice(blobs, _PAGE))):
            for blob in page:
                yield blob

    async def check(self) -> None:
        """See BlobStore: writes and removes a file."""
        await self._run(self._check)

    async def close(self) -> None:
        """See BlobStore."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except OSError as error:  # a full or read-only disk, a quota, an I/O error, too many open files
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BlobUnavailable(f"{error.filename or self._root}: {reason}") from error

    def _open(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._aside.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(self._root)
        _sync_directory(self._root.parent)
        stale = time.time() - _STALE_SECONDS
        removed = 0
        for path in self._aside.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process removes it too
                if path.lstat().st_mtime < stale:
                    path.unlink()
                    removed += 1
        if removed:
            _log.info("unfinished blobs removed", count=removed, directory=str(self._aside))
        try:
            self._check()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _log.error("no space for blobs", path=error.filename, reason=os.strerror(error.errno))

    def _put(self, path: Path, data: bytes) -> None:
        temporary = self._write_aside(data)
        try:
            self._make_directory(path.parent)
            try:
                temporary.replace(path)
            except FileNotFoundError:  # somebody removed the empty directory
                self._durable.clear()
                self._make_directory(path.parent)
                temporary.replace(path)
        except BaseException:
            _remove(temporary)
            raise
        _sync_directory(path.parent)

    def _write_aside(self, data: bytes) -> Path:
        temporary = self._aside / f"{os.getpid()}-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            _remove(temporary)
            # write and fsync do not say which file: name it for the log.
            raise OSError(error.errno, error.strerror, str(temporary)) from error
        return temporary

    def _make_directory(self, directory: Path) -> None:
        # Known means: its entry is on disk. One that another thread has just made may not be yet,
        # so that «exists» is not enough to skip the fsync of the parent.
        if directory in self._durable or directory == self._root:
            return
        self._make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)
        if len(self._durable) >= _KNOWN_DIRECTORIES:
            self._durable.clear()
        self._durable.add(directory)

    def _get(self, key: str, offset: int, length: int | None) -> bytes:
        try:
            descriptor = os.open(self._root / key, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self._aside.is_dir():  # not one blob is gone: the file system is not mounted
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._aside)) from error
            raise BlobMissing(key) from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BlobMissing(key)
            end = status.st_size if length is None else min(status.st_size, offset + length)
            chunks: list[bytes] = []
            while offset < end and (chunk := os.pread(descriptor, end - offset, offset)):
                chunks.append(chunk)
                offset += len(chunk)
        finally:
            os.close(descriptor)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _walk(self, directory: str, prefix: str) -> Iterator[BlobInfo]:
        """`directory` is '' or ends in a slash."""
        try:
            with os.scandir(self._root / directory) as entries:
                names = [entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries]
        except FileNotFoundError:
            if not directory:
                raise
            return
        for name in sorted(names):  # with its slash a directory sorts where its blobs' keys do
            key = directory + name
            if name.startswith(".") or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self._walk(key, prefix)
            elif key.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):
                    status = (self._root / key).lstat()
                    yield BlobInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _check(self) -> None:
        _remove(self._write_aside(b"\n"))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(directory)) from error
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
