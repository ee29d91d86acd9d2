"""The files of shared metrics, with their disk blocks reserved before they are mapped."""

import errno
import mmap
import os
from pathlib import Path
from typing import BinaryIO

from prometheus_client.mmap_dict import MmapedDict

_FIRST = 1 << 16  # octets: the size that prometheus_client gives a new file
_ENTRY = 48  # octets of an entry besides its key, with padding
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ReservedDict(MmapedDict):
    """prometheus_client makes sparse files, and touching a hole of a mapped file on a full disk is SIGBUS.

    Where the disk has no room the values go on in memory: unseen by the other workers, but nobody dies.
    """

    _f: BinaryIO
    _m: mmap.mmap
    _used: int
    _capacity: int

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode and not _reserve_file(Path(filename)):
            descriptor = os.memfd_create("metrics")
            super().__init__(f"/proc/self/fd/{descriptor}")  # type: ignore[no-untyped-call]
            os.close(descriptor)
            return
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        capacity = self._capacity
        while self._used + len(key.encode()) + _ENTRY > capacity:
            capacity *= 2
        if capacity > self._capacity and not _reserve(self._f.fileno(), capacity):
            self._move_to_memory()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _move_to_memory(self) -> None:
        """What was counted so far stays in the file, for the others to read."""
        memory = os.fdopen(os.memfd_create("metrics"), "r+b")
        memory.write(self._m[:])
        memory.flush()
        self._m = mmap.mmap(memory.fileno(), self._capacity)
        self._f.close()
        self._f = memory


def _reserve_file(path: Path) -> bool:
    """False: the disk is full, and no file is left behind that others would trip over."""
    if path.exists() and path.stat().st_size:
        return True
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _FULL:
            return False
        raise
    try:
        if _reserve(descriptor, _FIRST):
            return True
        path.unlink()
        return False
    finally:
        os.close(descriptor)


def _reserve(descriptor: int, size: int) -> bool:
    if not hasattr(os, "memfd_create"):
        return True  # not Linux: nowhere else to go, so as prometheus_client does it
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return False
    return True
