"""The corpus of real mail: an archive of mbox-like files, read as messages with CRLF line ends.

MAILRAVEN_CORPUS names the archive (a .tar.xz); without it the tests that need it are skipped.
"""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "MAILRAVEN_CORPUS"


def corpus_path() -> Path | None:
    """The archive, or None when there is none."""
    named = os.environ.get(VARIABLE, "")
    path = Path(named)
    return path if named and path.is_file() else None


def corpus_messages(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, octets) of each message, sorted by name; name is folder/file."""
    with tarfile.open(path, "r:xz") as archive:
        messages = []
        for member in archive:
            stored = archive.extractfile(member) if member.name.endswith(".eml") else None
            if stored is not None:
                messages.append(("/".join(member.name.split("/")[-2:]), _message(stored.read())))
    yield from sorted(messages)


def _message(stored: bytes) -> bytes:
    """Without the line of the mbox format, line ends as on the wire."""
    if stored.startswith(b"From "):
        stored = stored.partition(b"\n")[2]
    return stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
