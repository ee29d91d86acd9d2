"""Memory that goes back to the system when it is free."""

import ctypes
import sys

# mallopt(3). One large block that was freed makes glibc keep blocks up to its size for the process, in each arena
# where one was: after the first logins 19 MiB (argon2) for each hashing thread. Setting both ends that adjustment.
_TRIM_THRESHOLD, _TRIM_OCTETS = -1, 16 * 1024 * 1024
_MMAP_THRESHOLD, _MMAP_OCTETS = -3, 8 * 1024 * 1024


def return_large_blocks() -> bool:
    """Blocks of 8 MiB and more are mapped and unmapped, smaller ones stay cheap. Whether the C library takes it."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _TRIM_OCTETS)) and bool(mallopt(_MMAP_THRESHOLD, _MMAP_OCTETS))
